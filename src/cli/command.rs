//! The arguments, and who answers them.

use clap::{Parser, Subcommand};

use super::{Error, Exit, Output, connection, hold, review, run as runs, sync};

/// Pulls employees from HR systems, keeps them as SCIM Users and Groups, and provisions downstream apps.
#[derive(Debug, Parser)]
#[command(
    name = "scim-bridge",
    version,
    max_term_width = 100,
    after_help = "serve, demo, migrate, tenant and token work on the database: DATABASE_URL, or without it a Postgres of \
                  their own in SCIM_BRIDGE_DATA_DIR. All others call the server at SCIM_BRIDGE_URL (default \
                  http://127.0.0.1:8080) with SCIM_BRIDGE_TOKEN.\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 a plan awaits approval, 4 the read was partial."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a sandbox HR system, the bridge and an app on free ports, for two days of work
    Demo(super::demo::Demo),
    /// Run the server: SCIM, API, background tasks
    Serve,
    /// Exit 0 if the server of this machine is ready, else 1
    Healthcheck,
    /// Measure this machine: requests a second, time and memory, beside what it could do at all
    Bench(super::bench::Bench),
    /// Run the database migrations and leave
    Migrate,
    /// Write, publish and check connections to HR systems
    #[command(subcommand)]
    Connection(connection::Command),
    /// Run a connection now and wait until it has been applied
    Sync(sync::Command),
    /// Upload records into a connection of connector push, page by page, and wait until they have been applied
    Push(super::push::Command),
    /// List and show runs, approve or reject their plans, list whom they skipped
    #[command(subcommand)]
    Run(runs::Command),
    /// List, show and export plans of every cause, approve them whole or in part, reject them
    #[command(subcommand)]
    Plan(super::plan::Command),
    /// Say whose records are that nobody else can tell
    #[command(subcommand)]
    Review(review::Command),
    /// Decide about values that wait
    #[command(subcommand)]
    Hold(hold::Command),
    /// List, show and check connectors: the HR systems that can be read
    #[command(subcommand)]
    Connector(super::connector::Command),
    /// List SCIM clients and set what is particular about them
    #[command(subcommand)]
    Client(super::clients::Command),
    /// Add, list and remove schemas and resource types of your own
    #[command(subcommand)]
    Schema(super::schema::Command),
    /// Write, publish and check apps, and list what they hold
    #[command(subcommand)]
    App(super::app::Command),
    /// Say whose an app's account is
    #[command(subcommand)]
    Account(super::account::Command),
    /// Do one thing to many accounts or users: push, retry, remove, suspend, release
    Bulk(super::bulk::Order),
    /// List what was sent to apps, try it again, or leave it
    #[command(subcommand)]
    Operation(super::operation::Command),
    /// Show what the days to come bring: who will be created, changed, disabled, removed, and by which rule
    Calendar(super::calendar::Command),
    /// Show accounts by state, per app; --wait until all is done
    Status(super::status::Command),
    /// Write what somebody who is to help needs to see, without a person in it
    SupportBundle(super::support::Command),
    /// Find users, explain, suspend and release them, and show what each app holds of them
    #[command(subcommand)]
    User(super::user::Command),
    /// Seal everything anew after the master key changed
    #[command(subcommand)]
    Key(super::key::Command),
    /// Export or erase all that is held of a person
    #[command(subcommand)]
    Person(super::person::Command),
    /// Show and set how long things are kept
    #[command(subcommand)]
    Retention(super::person::Retention),
    /// Check that nobody tampered with the log
    #[command(subcommand)]
    Log(super::person::Log),
    /// List, add and remove admins who are told by mail
    #[command(subcommand)]
    Recipient(super::recipient::Command),
    /// Show and change the words of mails
    #[command(subcommand)]
    Template(super::template::Command),
    /// List what was told by mail and webhook, send again what failed
    #[command(subcommand)]
    Notice(super::notice::Command),
    /// List, add and end addresses that are told of events by HTTP
    #[command(subcommand)]
    Subscription(super::subscription::Command),
    /// Let an app, a connection, a SCIM client or the whole tenant have no effect until it is thawed
    Freeze(super::freeze::Command),
    /// Lift a freeze
    Thaw(super::freeze::Command),
    /// Create and list tenants (customers)
    #[command(subcommand)]
    Tenant(super::tenant::Command),
    /// Create, list and revoke tokens
    #[command(subcommand)]
    Token(super::token::Command),
}

/// Does what the arguments say.
///
/// # Errors
/// When it fails; the caller prints it and exits with 1.
pub async fn run(arguments: Arguments) -> Result<Exit, Error> {
    let output = Output { json: arguments.json };
    match arguments.command {
        Command::Demo(demo) => super::demo::run(demo).await,
        Command::Serve => super::serve::run().await,
        Command::Healthcheck => super::healthcheck::run().await,
        Command::Bench(bench) => super::bench::run(bench).await,
        Command::Migrate => super::migrate::run(output).await,
        Command::Connection(command) => connection::run(command, output).await,
        Command::Sync(command) => sync::run(command, output).await,
        Command::Push(command) => super::push::run(command, output).await,
        Command::Run(command) => runs::run(command, output).await,
        Command::Plan(command) => super::plan::run(command, output).await,
        Command::Review(command) => review::run(command, output).await,
        Command::Hold(command) => hold::run(command, output).await,
        Command::Connector(command) => super::connector::run(command, output).await,
        Command::Client(command) => super::clients::run(command, output).await,
        Command::Schema(command) => super::schema::run(command, output).await,
        Command::App(command) => super::app::run(command, output).await,
        Command::Account(command) => super::account::run(command, output).await,
        Command::Bulk(order) => super::bulk::bulk(order, output).await,
        Command::Operation(command) => super::operation::run(command, output).await,
        Command::Calendar(command) => super::calendar::run(command, output).await,
        Command::Status(command) => super::status::run(command, output).await,
        Command::SupportBundle(command) => super::support::run(command, output).await,
        Command::User(command) => super::user::run(command, output).await,
        Command::Key(command) => super::key::run(command, output).await,
        Command::Person(command) => super::person::run(command, output).await,
        Command::Retention(command) => super::person::retention(command, output).await,
        Command::Log(command) => super::person::log(command, output).await,
        Command::Recipient(command) => super::recipient::run(command, output).await,
        Command::Template(command) => super::template::run(command, output).await,
        Command::Notice(command) => super::notice::run(command, output).await,
        Command::Subscription(command) => super::subscription::run(command, output).await,
        Command::Freeze(command) => super::freeze::run("freeze", command, output).await,
        Command::Thaw(command) => super::freeze::run("thaw", command, output).await,
        Command::Tenant(command) => super::tenant::run(command, output).await,
        Command::Token(command) => super::token::run(command, output).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{EventKind, place, sample};

    #[test]
    fn every_command_that_a_mail_names_is_there() {
        for kind in EventKind::ALL {
            let (whole, mut without) = (sample(*kind), sample(*kind));
            if matches!(
                kind,
                EventKind::CredentialFailed
                    | EventKind::ReactivationsWithheld
                    | EventKind::UserNameTaken
                    | EventKind::UserNamesTaken
            ) && let Some(detail) = without.as_object_mut()
            {
                detail.remove("app");
            }
            for detail in [&whole, &without] {
                let place = place(*kind, detail);
                if place.starts_with("scim-bridge") {
                    if let Err(error) = Arguments::try_parse_from(place.split_whitespace()) {
                        panic!("{kind:?}: {place}: {error}");
                    }
                } else {
                    assert!(place.starts_with("https://"), "{kind:?}: {place}");
                }
            }
        }
    }

    #[test]
    fn every_command_of_the_page_about_notices_is_there() {
        let page = include_str!("../../docs/notices.md");
        let commands = page.lines().filter(|line| line.starts_with("scim-bridge "));
        let commands: Vec<&str> = commands.map(|line| line.split(" #").next().unwrap()).collect();
        assert!(commands.len() > 10, "{commands:?}");
        for command in commands {
            if let Err(error) = Arguments::try_parse_from(command.split_whitespace()) {
                panic!("{command}: {error}");
            }
        }
    }
}
