//! The limit server: what the same framework, pool and database can do at all. A handler runs one prepared statement and
//! returns the stored text; nothing is parsed, nothing is checked, no history is kept.

use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{App, HttpResponse, HttpServer};
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use diesel_async::SimpleAsyncConnection as _;
use scim_bridge::db::{Db, Statement};
use scim_bridge::statement;
use uuid::Uuid;

use super::Failure;

const TABLE: &str = "
    CREATE UNLOGGED TABLE limit_user (id uuid PRIMARY KEY, user_name text COLLATE \"C\" NOT NULL UNIQUE, active boolean,
                                      version bigint NOT NULL, body text NOT NULL) WITH (fillfactor = 80);
    INSERT INTO limit_user SELECT id, user_name, active, version, body::text FROM resource WHERE kind = 'User';
    ALTER TABLE limit_user SET LOGGED;
    ANALYZE limit_user;";

statement!(
    /// One user.
    Get: (SqlUuid) -> (Text,) = "SELECT body FROM limit_user WHERE id = $1"
);
statement!(
    /// One user by name.
    LookUp: (Text) -> (Text,) = "SELECT body FROM limit_user WHERE user_name = $1"
);
statement!(
    /// Changes one user.
    Update: (SqlUuid) -> (Text,) =
    "UPDATE limit_user SET active = NOT active, version = version + 1 WHERE id = $1 RETURNING body"
);
statement!(
    /// Makes one user.
    Insert: (SqlUuid, Text, Bool, Text) -> (Text,) =
    "INSERT INTO limit_user (id, user_name, active, version, body) VALUES ($1, $2, $3, 1, $4) RETURNING body"
);

/// Makes the table and serves on a free port; gives back the port.
pub async fn serve(db: Db) -> Result<u16, Failure> {
    db.conn().await?.batch_execute(TABLE).await?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(db.clone()))
            .route("/users/{id}", web::get().to(get))
            .route("/users/{id}", web::patch().to(update))
            .route("/names/{name}", web::get().to(look_up))
            .route("/users", web::post().to(insert))
    })
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let addresses = server.addrs();
    let port = addresses.as_slice().first().ok_or("no port")?.port();
    tokio::spawn(server.run());
    Ok(port)
}

type Answer = Result<HttpResponse, actix_web::Error>;

fn answer(row: diesel::QueryResult<(String,)>) -> Answer {
    let (text,) = row.map_err(actix_web::error::ErrorInternalServerError)?;
    Ok(HttpResponse::Ok()
        .content_type("application/scim+json")
        .body(text))
}

async fn get(db: Data<Db>, id: Path<Uuid>) -> Answer {
    let mut conn = db
        .conn()
        .await
        .map_err(actix_web::error::ErrorInternalServerError)?;
    answer(Get::with((id.into_inner(),)).get_result(&mut conn).await)
}

async fn look_up(db: Data<Db>, name: Path<String>) -> Answer {
    let mut conn = db
        .conn()
        .await
        .map_err(actix_web::error::ErrorInternalServerError)?;
    answer(LookUp::with((name.into_inner(),)).get_result(&mut conn).await)
}

async fn update(db: Data<Db>, id: Path<Uuid>) -> Answer {
    let mut conn = db
        .conn()
        .await
        .map_err(actix_web::error::ErrorInternalServerError)?;
    answer(Update::with((id.into_inner(),)).get_result(&mut conn).await)
}

async fn insert(db: Data<Db>, body: Bytes) -> Answer {
    let mut conn = db
        .conn()
        .await
        .map_err(actix_web::error::ErrorInternalServerError)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let id = Uuid::now_v7();
    answer(
        Insert::with((id, id.to_string(), true, text))
            .get_result(&mut conn)
            .await,
    )
}
