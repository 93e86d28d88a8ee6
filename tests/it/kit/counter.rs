//! Counts the statements that reach the database: a relay between program and server that reads along.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// A relay in front of a test database. Executions (`Execute` and `Query` of the protocol) that go through it count.
pub struct StatementCounter {
    /// The database, by way of the relay.
    pub url: String,
    executed: Arc<AtomicU64>,
}

impl StatementCounter {
    pub async fn before(url: &str) -> Self {
        let config: Config = url.parse().unwrap();
        let Some(Host::Unix(folder)) = config.get_hosts().first() else {
            panic!("the test cluster listens on a socket");
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let user = config.get_user().unwrap_or("postgres");
        let address = listener.local_addr().unwrap();
        let url = format!("postgres://{user}@{address}/{}", config.get_dbname().unwrap());
        let executed = Arc::new(AtomicU64::new(0));
        tokio::spawn(relay(listener, socket, Arc::clone(&executed)));
        Self { url, executed }
    }

    pub fn executed(&self) -> u64 {
        self.executed.load(Ordering::SeqCst)
    }
}

async fn relay(listener: TcpListener, socket: PathBuf, executed: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let (from_server, to_server) = UnixStream::connect(&socket).await.unwrap().into_split();
        let (from_client, to_client) = client.into_split();
        tokio::spawn(back(from_server, to_client));
        tokio::spawn(forth(from_client, to_server, Arc::clone(&executed)));
    }
}

async fn back(mut server: OwnedReadHalf, mut client: tokio::net::tcp::OwnedWriteHalf) {
    let _ended = tokio::io::copy(&mut server, &mut client).await;
}

/// Passes messages on, one by one. The first (start-up) has no type.
async fn forth(
    mut client: tokio::net::tcp::OwnedReadHalf,
    mut server: OwnedWriteHalf,
    executed: Arc<AtomicU64>,
) {
    let mut typed = false;
    loop {
        let mut head = Vec::new();
        if typed {
            let Ok(kind) = client.read_u8().await else { return };
            if matches!(kind, b'E' | b'Q') {
                executed.fetch_add(1, Ordering::SeqCst);
            }
            head.push(kind);
        }
        let Ok(length) = client.read_u32().await else {
            return;
        };
        head.extend(length.to_be_bytes());
        let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
        if client.read_exact(&mut rest).await.is_err() {
            return;
        }
        // A request for TLS is answered by the server with "no", and the start-up follows.
        typed = typed || rest.get(..4) != Some(&80_877_103_u32.to_be_bytes());
        if server.write_all(&head).await.is_err() || server.write_all(&rest).await.is_err() {
            return;
        }
    }
}
