//! The limit server: what the same framework, pool and database can do at all. A handler runs one prepared statement and
//! returns the stored text; nothing is parsed, nothing is checked, no history is kept.

use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{App, HttpResponse, HttpServer};
use uuid::Uuid;

use super::{Error, store};
use crate::app::{Database, Stop};
use crate::config::Config;
use crate::db::embedded::Role;
use crate::db::{self, Db, PooledConn};

/// Serves on `SCIM_BRIDGE_LISTEN` until it is told to stop.
///
/// # Errors
/// When a setting, the database or the address cannot be used.
pub async fn serve() -> Result<(), Error> {
    let config = Config::from_env()?;
    let mut stop = Stop::hear()?;
    let database = Database::open(&config, Role::Command).await?;
    let db = database.db.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(db.clone()))
            .route("/users/{id}", web::get().to(get))
            .route("/users/{id}", web::patch().to(toggle))
            .route("/names/{name}", web::get().to(by_name))
            .route("/emails/{email}", web::get().to(by_email))
            .route("/after/{id}", web::get().to(page))
            .route("/members/{group}/{member}", web::put().to(enter))
            .route("/users", web::post().to(post))
    })
    .disable_signals()
    .bind(config.listen)?
    .run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    stop.told().await;
    handle.stop(true).await;
    running.await??;
    database.close().await;
    Ok(())
}

type Answer = Result<HttpResponse, actix_web::Error>;

async fn conn(db: &Db) -> Result<PooledConn, actix_web::Error> {
    db.conn()
        .await
        .map_err(actix_web::error::ErrorInternalServerError)
}

fn answer(text: Result<String, db::QueryError>) -> Answer {
    let text = text.map_err(actix_web::error::ErrorInternalServerError)?;
    Ok(HttpResponse::Ok()
        .content_type("application/scim+json")
        .body(text))
}

async fn get(db: Data<Db>, id: Path<Uuid>) -> Answer {
    answer(store::one(&mut *conn(&db).await?, id.into_inner()).await)
}

async fn by_name(db: Data<Db>, name: Path<String>) -> Answer {
    answer(store::by_name(&mut *conn(&db).await?, &name).await)
}

async fn by_email(db: Data<Db>, email: Path<String>) -> Answer {
    answer(store::by_email(&mut *conn(&db).await?, &email).await)
}

async fn page(db: Data<Db>, id: Path<Uuid>) -> Answer {
    let rows = store::after(&mut *conn(&db).await?, id.into_inner()).await;
    answer(rows.map(|rows| {
        let bodies: Vec<&str> = rows.iter().map(|(body,)| body.as_str()).collect();
        format!("{{\"Resources\":[{}]}}", bodies.join(","))
    }))
}

async fn toggle(db: Data<Db>, id: Path<Uuid>) -> Answer {
    answer(store::toggle(&mut *conn(&db).await?, id.into_inner()).await)
}

async fn post(db: Data<Db>, body: Bytes) -> Answer {
    let text = String::from_utf8_lossy(&body);
    answer(store::make(&mut *conn(&db).await?, &text).await)
}

async fn enter(db: Data<Db>, path: Path<(Uuid, Uuid)>) -> Answer {
    let (group, member) = path.into_inner();
    let done = store::enter(&mut *conn(&db).await?, group, member).await;
    answer(done.map(|()| String::new()))
}
