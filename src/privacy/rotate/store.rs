//! Every sealed column, with what its values are bound to. Rows are met in the order in which they lie in the table.

use diesel::sql_types::{Array, Binary, Text};
use diesel_async::RunQueryDsl;

use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::statement;

/// A value: where its row lies, what it is bound to, and itself.
pub(super) type Value = (String, String, Vec<u8>);

macro_rules! sealed {
    ($($name:literal { $read:ident: $select:literal, $write:ident: $update:literal })+) => {
        $(
            statement!($read: (Binary, Text) -> (Text, Text, Binary) = $select);
            statement!($write: (Array<Text>, Array<Binary>, Array<Binary>) -> () = $update);
        )+

        /// The names of the places.
        pub(super) const SEALED: &[&str] = &[$($name),+];

        /// Values of a place behind a row that another key sealed.
        pub(super) async fn page(
            conn: &mut Conn,
            place: &str,
            current: &[u8],
            after: &str,
        ) -> Result<Vec<Value>, Error> {
            Ok(match place {
                $($name => $read::with((current, after)).load(conn).await?,)+
                _ => Vec::new(),
            })
        }

        /// Puts values in the place of others, where nobody else did meanwhile.
        pub(super) async fn replace(
            conn: &mut Conn,
            place: &str,
            page: &[Value],
            fresh: Vec<Vec<u8>>,
        ) -> Result<(), Error> {
            let rows: Vec<&str> = page.iter().map(|(row, ..)| row.as_str()).collect();
            let old: Vec<&[u8]> = page.iter().map(|(.., sealed)| sealed.as_slice()).collect();
            match place {
                $($name => { $write::with((rows, old, fresh)).execute(conn).await?; })+
                _ => {}
            }
            Ok(())
        }
    };
}

sealed! {
    "secrets of connections" {
        Read0: "SELECT ctid::text, owner_id || ':settings', sealed FROM setting_revision
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid AND owner_kind = 'connection' ORDER BY ctid LIMIT 500",
        Write0: "UPDATE setting_revision t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "secrets of apps" {
        Read1: "SELECT ctid::text, 'app:' || tenant_id || ':' || owner_id, sealed FROM setting_revision
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid AND owner_kind = 'app' ORDER BY ctid LIMIT 500",
        Write1: "UPDATE setting_revision t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "tokens" {
        Read2: "SELECT ctid::text, connection_id || ':vendor_token', sealed FROM vendor_token
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write2: "UPDATE vendor_token t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "refresh tokens" {
        Read3: "SELECT ctid::text, connection_id || ':vendor_refresh', refresh_sealed FROM vendor_token
             WHERE refresh_sealed IS NOT NULL AND substring(refresh_sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write3: "UPDATE vendor_token t SET refresh_sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.refresh_sealed = n.old"
    }
    "scopes" {
        Read4: "SELECT ctid::text, connection_id || ':vendor_scope', scope FROM vendor_token
             WHERE scope IS NOT NULL AND substring(scope FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write4: "UPDATE vendor_token t SET scope = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.scope = n.old"
    }
    "uploads" {
        Read5: "SELECT ctid::text, connection_id || ':upload', sealed FROM upload
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write5: "UPDATE upload t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "consent" {
        Read6: "SELECT ctid::text, connection_id || ':consent_verifier', sealed FROM consent_request
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write6: "UPDATE consent_request t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "clients" {
        Read7: "SELECT ctid::text, 'oauth_client:' || connector, sealed FROM oauth_client
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write7: "UPDATE oauth_client t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "webhooks" {
        Read8: "SELECT ctid::text, id || ':webhook', sealed FROM webhook
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write8: "UPDATE webhook t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "records" {
        Read9: "SELECT ctid::text, tenant_id || '/' || connection_id || '/source_record', sealed FROM source_record
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write9: "UPDATE source_record t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "staging" {
        Read10: "SELECT ctid::text, tenant_id || '/staging_record', sealed FROM staging_record
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write10: "UPDATE staging_record t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "erased" {
        Read11: "SELECT ctid::text, tenant_id || '/' || connection_id || '/erased_record', sealed FROM erased_record
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write11: "UPDATE erased_record t SET sealed = n.fresh, mark = NULL FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
    "pushed pages" {
        Read12: "SELECT ctid::text, session_id || '/push_page', sealed FROM push_page
             WHERE sealed IS NOT NULL AND substring(sealed FROM 1 FOR 4) <> $1 AND ctid > $2::tid ORDER BY ctid LIMIT 500",
        Write12: "UPDATE push_page t SET sealed = n.fresh FROM UNNEST($1, $2, $3) AS n (place, old, fresh)
             WHERE t.ctid = n.place::tid AND t.sealed = n.old"
    }
}
