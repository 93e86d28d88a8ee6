//! The statements of each place: how it is read, and how it is emptied.

mod mentions;
mod own;
mod scattered;

use serde_json::Value;

use super::{Place, Reach};
use crate::db::Conn;
use crate::privacy::Error;
use crate::privacy::store::Subject;

macro_rules! places {
    ($($name:literal { $read:ident: $select:literal, $empty:ident: $erase:literal })+) => {
        $(
            statement!(
                $read: (SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Text>) -> (Jsonb,) = $select
            );
            statement!(
                $empty: (SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Text>) -> () = $erase
            );
        )+

        /// The rows of a place.
        pub(super) async fn read(conn: &mut Conn, place: &str, of: &Subject) -> Result<Vec<Value>, Error> {
            let rows: Vec<(Value,)> = match place {
                $($name => $read::with(of.binds()).load(conn).await?,)+
                _ => Vec::new(),
            };
            Ok(rows.into_iter().map(|(row,)| row).collect())
        }

        /// Empties a place; how many rows that touched.
        pub(super) async fn empty(conn: &mut Conn, place: &str, of: &Subject) -> Result<usize, Error> {
            Ok(match place {
                $($name => $empty::with(of.binds()).execute(conn).await?,)+
                _ => 0,
            })
        }
    };
}
use places;

macro_rules! mentioned {
    ($($name:literal { $empty:ident: $erase:literal })+) => {
        $(
            statement!(
                $empty: (SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Text>) -> () = $erase
            );
        )+

        /// Empties a place; how many rows that touched.
        pub(super) async fn empty(conn: &mut Conn, place: &str, of: &Subject) -> Result<usize, Error> {
            Ok(match place {
                $($name => $empty::with(of.binds()).execute(conn).await?,)+
                _ => 0,
            })
        }
    };
}
use mentioned;

/// The rows of a place. What others' rows mention is not read: it is theirs.
pub(in crate::privacy) async fn read(
    conn: &mut Conn,
    place: &Place,
    of: &Subject,
) -> Result<Vec<Value>, Error> {
    match place.reach {
        Reach::Own => own::read(conn, place.name, of).await,
        Reach::Scattered => scattered::read(conn, place.name, of).await,
        Reach::Mentions => Ok(Vec::new()),
    }
}

/// Empties a place; how many rows that touched.
pub(in crate::privacy) async fn empty(conn: &mut Conn, place: &Place, of: &Subject) -> Result<usize, Error> {
    match place.reach {
        Reach::Own => own::empty(conn, place.name, of).await,
        Reach::Scattered => scattered::empty(conn, place.name, of).await,
        Reach::Mentions => mentions::empty(conn, place.name, of).await,
    }
}
