//! Pages by startIndex.

use chrono::{DurationRound as _, TimeDelta};

use super::page::{List, Page, page};
use super::store::{self, End, Rows, Walk};
use crate::base::digest;
use crate::db::Conn;
use crate::directory::Error;

/// How long the next page of a walk may be asked for.
const WALK: TimeDelta = TimeDelta::minutes(30);
/// What it is rounded up to.
const WALK_STEP: TimeDelta = TimeDelta::minutes(5);
/// A page may be shortened to so much of it, so that its next number is its own.
const AT_LEAST: usize = 2;
/// At most so many numbers are tried.
const TRIED: usize = 50;
/// How often a number is looked for when others take them at the same moment.
const ATTEMPTS: usize = 4;

impl List<'_> {
    /// The page at a number, from 1: where a walk goes on, or else by counting.
    pub async fn indexed(&self, conn: &mut Conn, start: u64) -> Result<Page, Error> {
        let seen = start.saturating_sub(1);
        if self.search.limit == 0 {
            let total = Some(self.total(conn).await?);
            return Ok(Page {
                total,
                ..Page::default()
            });
        }
        let query = self.query();
        let walk = (self.reader.tenant, self.reader.token, query.as_slice());
        let step = if seen > 0 {
            store::step(conn, walk, start, self.reader.now).await?
        } else {
            None
        };
        let (rows, more, known) = match step {
            Some(step) => {
                let (rows, more) = self.read(conn, false, Some(&step.last), 0).await?;
                let known = if more { step.total } else { seen };
                (rows, more, Some(known))
            }
            None if seen > 0 => self.jump(conn, seen).await?,
            None => {
                let (rows, more) = self.read(conn, false, None, 0).await?;
                (rows, more, None)
            }
        };
        let known = match known {
            Some(known) => Some(known),
            // Of an unfiltered list it is counted when the mark is kept.
            None if more && self.is_plain() => None,
            // The last page tells the total; only an empty one behind a jump does not.
            None if more || (rows.is_empty() && seen > 0) => Some(self.total(conn).await?),
            None => Some(seen),
        };
        self.paged(conn, walk, (seen, known), (rows, more)).await
    }

    /// The page with the total of the walk, its end kept if there are more.
    ///
    /// A client goes on until its number is above the total. So the total is at least one more than what was seen
    /// while there are others, whoever was deleted or inserted since it was counted, and with the last page what was
    /// seen.
    async fn paged(
        &self,
        conn: &mut Conn,
        walk: Walk<'_>,
        (seen, known): (u64, Option<u64>),
        (mut rows, more): (Rows, bool),
    ) -> Result<Page, Error> {
        let known = if more {
            let (shown, total) = self.keep(conn, walk, seen, known, &rows).await?;
            rows.truncate(shown);
            total
        } else {
            known.unwrap_or(seen)
        };
        let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let total = match (more, shown) {
            (true, _) => known.max(seen.saturating_add(shown).saturating_add(1)),
            (false, 0) => known,
            (false, _) => seen.saturating_add(shown),
        };
        let mut page = page(rows);
        page.total = Some(total);
        Ok(page)
    }

    /// Keeps where the page ends for whoever goes on, and the total, which is counted if it is not known; gives how many
    /// of its resources are to be shown, and the total.
    async fn keep(
        &self,
        conn: &mut Conn,
        walk: Walk<'_>,
        seen: u64,
        total: Option<u64>,
        rows: &Rows,
    ) -> Result<(usize, u64), Error> {
        let fewest = rows
            .len()
            .div_ceil(AT_LEAST)
            .max(rows.len().saturating_sub(TRIED));
        let ends: Vec<End> = rows
            .iter()
            .enumerate()
            .skip(fewest.saturating_sub(1))
            .rev()
            .map(|(at, (found, sorted))| End {
                shown: at + 1,
                next: u64::try_from(at)
                    .unwrap_or(u64::MAX)
                    .saturating_add(seen)
                    .saturating_add(2),
                key: super::Key {
                    id: found.id,
                    sorted: sorted.clone(),
                },
            })
            .collect();
        // Whole steps, so that a mark that is kept again mostly changes no index.
        let until = self.reader.now + WALK;
        let until = until.duration_trunc(WALK_STEP).unwrap_or(until) + WALK_STEP;
        let kinds = self.kinds();
        let (counted, times) = ((total, kinds.as_slice()), (self.reader.now, until));
        // The end of the whole page is mostly free to be kept; the others are only looked at when it is not.
        if let Some(whole) = ends.first()
            && let Some(total) = store::keep_one(conn, walk, whole, counted, times).await?
        {
            return Ok((whole.shown, total));
        }
        for attempt in 1..=ATTEMPTS {
            let forced = attempt == ATTEMPTS;
            let kept = store::keep(conn, walk, &ends, counted, forced, times).await?;
            if let Some((next, total)) = kept
                && let Some(end) = ends.iter().find(|end| end.next == next)
            {
                return Ok((end.shown, total));
            }
        }
        let total = match total {
            Some(total) => total,
            None => self.total(conn).await?,
        };
        Ok((rows.len(), total))
    }

    /// The page behind so many, by counting from the nearer end, and the total if it was counted.
    async fn jump(&self, conn: &mut Conn, seen: u64) -> Result<(Rows, bool, Option<u64>), Error> {
        let unfiltered = self.search.among.iter().all(|one| one.filter.is_none());
        if unfiltered {
            let total = self.total(conn).await?;
            let left = total.saturating_sub(seen);
            if left == 0 {
                return Ok((Vec::new(), false, Some(total)));
            }
            if left < seen {
                let rows = self.nearer_end(conn, left).await?;
                return Ok((rows, left > self.search.limit, Some(total)));
            }
        }
        let (rows, more) = self.read(conn, false, None, seen).await?;
        Ok((rows, more, None))
    }

    /// The first ones of the last `left` resources.
    async fn nearer_end(&self, conn: &mut Conn, left: u64) -> Result<Rows, Error> {
        let skip = left.saturating_sub(self.search.limit);
        let (mut rows, _) = self.read(conn, true, None, skip).await?;
        // Fewer than a page are left: what was read before them is not asked for.
        let surplus = rows
            .len()
            .saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
        rows.drain(..surplus);
        Ok(rows)
    }

    /// What tells one query of a token from another.
    fn query(&self) -> Vec<u8> {
        let mut text = String::new();
        for one in &self.search.among {
            text.push_str(&one.kind.name);
            text.push('\0');
        }
        text.push_str(&self.search.text);
        digest(text.as_bytes())
    }
}
