//! `healthcheck`: for containers, whose images have no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use url::Url;

use super::{Error, Exit};
use crate::base::Clock;
use crate::config::Config;
use crate::net::{Method, Net};

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the server of this machine whether it is ready.
pub(super) async fn run() -> Result<Exit, Error> {
    let config = Config::from_env()?;
    let text = format!("http://{}/readyz", reachable(config.listen));
    let url = Url::parse(&text).map_err(|error| Error::Usage(error.to_string()))?;
    let unreachable = |source| Error::Unreachable {
        url: text.clone(),
        source,
    };
    let net = Net::new(true, Clock::system()).map_err(unreachable)?;
    let answer = net
        .request(Method::GET, url)
        .time_out(PATIENCE)
        .send()
        .await
        .map_err(unreachable)?;
    Ok(if answer.is_success() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Who listens everywhere is reached at the loopback address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
