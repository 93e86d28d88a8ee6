//! What the sync reads: a source with its settings, and the pull of its pages.

use std::path::Path;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::auth::TokenCache;
use super::custom::csv::CsvReader;
use super::fields::CsvFields;
use super::pull::{Aim, ManifestReader};
use super::scope::Mark;
use super::{Error, Manifest, Settings};
use crate::base::{Chain, Clock};
use crate::hr::{Coverage, Employee, Page};
use crate::net::Net;

/// One connection's HR system with all that is needed to read it.
#[derive(Clone)]
pub struct Source<'a> {
    /// The connector.
    pub manifest: &'a Manifest,
    /// The connection's settings.
    pub settings: &'a Settings,
    /// Of a connection that reads a file: its columns.
    pub fields: Option<&'a CsvFields>,
    /// The optional fields that are read; see [`Manifest::default_optional`].
    pub chosen: &'a [String],
    /// The file that was handed in.
    pub upload: Option<Bytes>,
    /// The folder below which `server_path` may point: the tenant's own.
    pub files: Option<&'a Path>,
    /// The HTTP client.
    pub net: &'a Net,
    /// The clock.
    pub clock: &'a Clock,
    /// Where the vendor's token is kept.
    pub tokens: &'a dyn TokenCache,
}

/// What reads one kind of source, page by page.
pub(super) trait Reader: Send {
    /// The next page; `None` when the last one was given.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Error>>;
    /// Why somebody may be missing, once the pages have ended; `None` when all were seen.
    fn doubt(&self) -> Option<String>;
    /// How many the source says there are.
    fn expected(&self) -> Option<u64>;
    /// Fields whose path none of the records so far has.
    fn absent(&self) -> Vec<&'static str>;
    /// How far the read came, where the HR system can tell what changes afterwards.
    fn mark(&self) -> Option<Mark> {
        None
    }
}

/// A read that is under way.
pub struct Pull<'a> {
    reader: Box<dyn Reader + 'a>,
    state: State,
}

enum State {
    Reading,
    Ended,
    Broken(String),
}

impl<'a> Source<'a> {
    /// Starts a read of everybody. Nothing is asked before [`Pull::next`].
    #[must_use]
    pub fn pull(self) -> Pull<'a> {
        let reader: Box<dyn Reader + 'a> = if self.manifest.reads_files() {
            Box::new(CsvReader::new(self))
        } else {
            Box::new(ManifestReader::new(self, Aim::All))
        };
        Pull {
            reader,
            state: State::Reading,
        }
    }

    /// Starts a read of those who changed since an earlier read came to `mark`; see [`Manifest::reads_changes`]. It never
    /// covers everybody: nobody has left because they are not in it.
    #[must_use]
    pub fn pull_changes(self, mark: Mark) -> Pull<'a> {
        Pull {
            reader: Box::new(ManifestReader::new(self, Aim::Changes(mark))),
            state: State::Reading,
        }
    }

    /// Reads one employee by its source id; see [`Manifest::reads_one`]. `None` when the HR system has nobody of that id.
    ///
    /// # Errors
    /// When the HR system cannot be read, or the record cannot.
    pub async fn one(self, id: &str) -> Result<Option<Employee>, Error> {
        ManifestReader::new(self, Aim::One(id.to_owned())).one().await
    }
}

impl Pull<'_> {
    /// The next page; `None` when the last one was given. After an error the read is over and partial.
    ///
    /// # Errors
    /// When a page cannot be read; waiting and repeating were tried before.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if !matches!(self.state, State::Reading) {
            return Ok(None);
        }
        match self.reader.next().await {
            Ok(Some(page)) => Ok(Some(page)),
            Ok(None) => {
                self.state = State::Ended;
                Ok(None)
            }
            Err(error) => {
                self.state = State::Broken(Chain(&error).to_string());
                Err(error)
            }
        }
    }

    /// Whether everybody was seen. Before the end: partial.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let reason = match &self.state {
            State::Reading => Some("the read has not ended".to_owned()),
            State::Broken(why) => Some(why.clone()),
            State::Ended => self.reader.doubt(),
        };
        reason.map_or(Coverage::Complete, |reason| Coverage::Partial { reason })
    }

    /// How far the read came: what the next one may ask changes from, once the run that read it was committed.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.reader.mark()
    }

    /// Fields whose path none of the records so far has.
    pub(super) fn absent(&self) -> Vec<&'static str> {
        self.reader.absent()
    }

    /// How many records the source says there are, as soon as it is known.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        self.reader.expected()
    }
}
