//! The contents of one segment: at most one piece of a large file, then complete small ones.

use std::sync::Arc;

use rustix::fs::OFlags;
use seaworthy_core::Result;

use super::{
    hooks::{Hooks, Moment},
    inode,
    item::{Item, SMALL, attributes_lost, lost, replaced},
    large::{Large, Piece},
    walk::Walker,
};
use crate::sources::files::archive::EntryMeta;

/// The most items in a batch: their memory is limited, too.
const MAX_ITEMS: usize = 8192;

/// What one worker reads and sends as one segment.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) piece: Option<Piece>,
    pub(super) items: Vec<Item>,
}

/// Cuts what a walk comes upon into batches.
#[derive(Debug)]
pub(super) struct Batches {
    walker: Walker,
    /// A large file whose pieces are not all handed out.
    large: Option<Arc<Large>>,
    /// The offset of its next piece.
    next: u64,
    /// How many files and folders a batch may keep open.
    max_open: usize,
}

impl Batches {
    pub(super) fn new(walker: Walker, workers: usize) -> Self {
        Self { walker, large: None, next: 0, max_open: (384 / workers).clamp(8, 128) }
    }

    pub(super) fn hooks(&self) -> &Hooks {
        self.walker.hooks()
    }

    /// Returns `item` next.
    pub(super) fn put_back(&mut self, item: Item) {
        self.walker.put_back(item);
    }

    /// The next batch of the payload; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        let mut size = 0;
        let mut open = 0;
        let mut last_folder = std::ptr::null();
        if let Some(large) = self.large.take() {
            size = self.cut(&large, &mut batch);
            if self.large.is_some() {
                return Ok(Some(batch));
            }
        }
        while batch.items.len() < MAX_ITEMS {
            let Some(item) = self.walker.next_item() else { break };
            let (bytes, opens) = match &item {
                Item::Known(meta) => (weight(meta), 0),
                Item::Loss(_) => (0, 0),
                Item::Opened { stat, .. } => (2048 + stat.st_size.cast_unsigned(), 1),
                Item::Listed { folder, size, .. } => {
                    let is_new = last_folder != Arc::as_ptr(folder);
                    last_folder = Arc::as_ptr(folder);
                    (2048 + size, usize::from(is_new))
                }
            };
            let is_full = size + bytes > SMALL || open + opens > self.max_open;
            let is_first = batch.piece.is_none() && batch.items.is_empty();
            if is_full && !is_first {
                self.put_back(item);
                break;
            }
            let item = match self.as_large(item)? {
                Ok(large) => {
                    // The batch is empty: a large file gets a batch of its own.
                    self.next = 0;
                    size = self.cut(&large, &mut batch);
                    if self.large.is_some() {
                        break;
                    }
                    continue;
                }
                Err(item) => item,
            };
            size += bytes;
            open += opens;
            batch.items.push(item);
        }
        let is_empty = batch.piece.is_none() && batch.items.is_empty();
        Ok((!is_empty).then_some(batch))
    }

    /// Hands out the next piece of `large`, and returns how many bytes it has.
    fn cut(&mut self, large: &Arc<Large>, batch: &mut Batch) -> u64 {
        let piece = large.piece(self.next);
        self.next = piece.to;
        let size = piece.size();
        if piece.to < large.data() {
            self.large = Some(large.clone());
        }
        batch.piece = Some(piece);
        size
    }

    /// Opens `item` if it is a large file; its size and its holes are fixed from then on.
    fn as_large(&mut self, item: Item) -> Result<std::result::Result<Arc<Large>, Item>> {
        let (file, path, stat) = match item {
            Item::Listed { folder, name, path, size } if size > SMALL => {
                let opened = self.hooks().at(Moment::Open, &path).and_then(|()| {
                    let file = inode::open(&folder, &name, OFlags::empty())?;
                    let stat = rustix::fs::fstat(&file)?;
                    Ok((file, stat))
                });
                match opened {
                    Ok((_, stat)) if !inode::is_file(&stat) => {
                        return Ok(Err(replaced(path)));
                    }
                    Ok((file, stat)) => (file, path, Box::new(stat)),
                    Err(error) => return Ok(Err(lost(path, &error))),
                }
            }
            Item::Opened { file, path, stat } if stat.st_size.cast_unsigned() > SMALL => {
                (file, path, stat)
            }
            item => return Ok(Err(item)),
        };
        let (large, attributes) = Large::new(file, path, &stat)?;
        if let Some(error) = attributes {
            self.put_back(attributes_lost(large.path(), &error));
        }
        Ok(Ok(Arc::new(large)))
    }
}

/// About how many bytes the headers of `meta` need.
fn weight(meta: &EntryMeta) -> u64 {
    let link = meta.link.as_ref().map_or(0, |link| link.0.len());
    let xattrs: usize = meta.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    (1024 + 2 * meta.path.0.len() + link + xattrs) as u64
}
