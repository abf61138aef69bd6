//! Loads frames into a database.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::SinkExt;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use tokio_postgres::CopyInSink;

use super::{
    lanes::Lanes,
    sql_split::Splitter,
    statements::execute,
    units::{Part, Unit, blocking},
};
use crate::{
    format::index::{FrameRecord, RowsRecord},
    snapshot::{FrameDecoder, PayloadReader},
    sources::postgres::{
        connect::session::{Session, shorten},
        dump::copy::END_OF_ROWS,
    },
};

/// How many bytes of rows are given to the driver at once: it copies them.
const CHUNK: usize = 1 << 20;

/// Fetches units and loads them over one connection.
pub(crate) struct Loader {
    session: Arc<Session>,
    payload: PayloadReader,
    decoder: Option<FrameDecoder>,
    copy: Option<Copy>,
    /// How many bytes of rows were loaded.
    loaded: u64,
    cx: Context,
}

impl Loader {
    pub(crate) fn new(session: Arc<Session>, payload: PayloadReader, cx: &Context) -> Result<Self> {
        let decoder = Some(payload.decoder()?);
        Ok(Self { session, payload, decoder, copy: None, loaded: 0, cx: cx.clone() })
    }

    /// Loads rows and values from this lane, then from others, until there are no more; returns how
    /// many bytes of rows.
    pub(crate) async fn run(mut self, lanes: Arc<Lanes>, lane: usize) -> Result<u64> {
        while let Some(unit) = lanes.next(lane).await {
            self.load(&unit).await?;
        }
        self.end_copy().await?;
        Ok(self.loaded)
    }

    async fn load(&mut self, unit: &Unit) -> Result<()> {
        let Some((first, more)) = unit.frames.split_first() else { return Ok(()) };
        let plain = self.fetch(first).await?;
        for part in &unit.parts {
            self.cx.check("postgres.restore")?;
            match part {
                Part::Rows(rows) => self.rows(rows, first, &plain, more).await?,
                Part::Sql(sql) => {
                    self.end_copy().await?;
                    let mut splitter = Splitter::default();
                    let mut statements = splitter.push(&slice(&plain, first, sql.at, sql.len)?);
                    statements.extend(splitter.rest());
                    for statement in statements {
                        let statement = self.session.decode(statement).await?;
                        execute(&self.session, &statement).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The statements of a unit of definitions; a statement may begin or end in another unit.
    pub(crate) async fn statements(
        &mut self,
        unit: &Unit,
        splitter: &mut Splitter,
    ) -> Result<Vec<String>> {
        let mut statements = Vec::new();
        for frame in &unit.frames {
            let plain = self.fetch(frame).await?;
            for part in &unit.parts {
                let Part::Sql(sql) = part else { continue };
                for statement in splitter.push(&slice(&plain, frame, sql.at, sql.len)?) {
                    statements.push(self.session.decode(statement).await?);
                }
            }
        }
        Ok(statements)
    }

    async fn fetch(&mut self, frame: &FrameRecord) -> Result<Bytes> {
        self.cx.check("postgres.restore")?;
        let stored = self.payload.fetch(frame).await?;
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => self.payload.decoder()?,
        };
        let known = frame.clone();
        let (decoder, plain) = blocking(move || {
            let mut plain = Vec::new();
            decoder.decode(&known, &stored, &mut plain)?;
            Ok((decoder, plain))
        })
        .await?;
        self.decoder = Some(decoder);
        self.cx.emit(Event::Advanced { bytes: frame.plain, items: 0 });
        Ok(plain.into())
    }

    /// Loads one block of rows, which may continue in the frames `more`.
    async fn rows(
        &mut self,
        record: &RowsRecord,
        frame: &FrameRecord,
        plain: &Bytes,
        more: &[FrameRecord],
    ) -> Result<()> {
        let damaged = |why: &str| {
            let message = format!("the rows of {}.{} {why}", record.schema, record.name);
            Error::new(ErrorKind::Damaged, "postgres.restore", message)
        };
        let start = record.at.checked_sub(frame.plain_offset).and_then(|n| usize::try_from(n).ok());
        let start = start.filter(|start| *start <= plain.len());
        let mut block =
            plain.slice(start.ok_or_else(|| damaged("do not begin at the offset in the index"))?..);
        let header = header_len(&block).ok_or_else(|| damaged("begin without COPY"))?;
        self.begin_copy(block.split_to(header), record.rows).await?;
        let overhead = (header + END_OF_ROWS.len()) as u64;
        let mut left = record.len.checked_sub(overhead).ok_or_else(|| damaged("are too short"))?;
        self.loaded += left;

        let mut more = more.iter();
        loop {
            let rows = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            let mut rows = block.split_to(rows);
            left -= rows.len() as u64;
            while let Some(copy) = self.copy.as_mut().filter(|_| !rows.is_empty()) {
                let chunk = rows.split_to(rows.len().min(CHUNK));
                copy.sink.feed(chunk).await.map_err(|error| copy.failed(error))?;
            }
            if left == 0 {
                return Ok(());
            }
            let next = more.next().ok_or_else(|| damaged("do not end"))?;
            block = self.fetch(next).await?;
        }
    }

    /// Starts copying rows with the statement `header`, unless that copy is already running: a
    /// table's blocks are loaded as one.
    async fn begin_copy(&mut self, header: Bytes, rows: u64) -> Result<()> {
        if let Some(copy) = self.copy.as_mut().filter(|copy| copy.header == header) {
            copy.rows += rows;
            return Ok(());
        }
        self.end_copy().await?;
        let mut sql = self.session.decode(header.to_vec()).await?;
        sql.truncate(sql.trim_end().trim_end_matches(';').len());
        let encoding = self.session.encoding();
        if !["UTF8", "SQL_ASCII"].contains(&encoding) {
            sql.push_str(&format!(" WITH (ENCODING '{encoding}')"));
        }
        match self.session.client().copy_in(sql.as_str()).await {
            Ok(sink) => {
                self.copy = Some(Copy { header, sql, sink: Box::pin(sink), rows });
                Ok(())
            }
            Err(error) => Err(self.session.failed(&sql, error)),
        }
    }

    async fn end_copy(&mut self) -> Result<()> {
        let Some(mut copy) = self.copy.take() else { return Ok(()) };
        let loaded = copy.sink.as_mut().finish().await.map_err(|error| copy.failed(error))?;
        if loaded != copy.rows {
            let message = format!(
                "{loaded} rows instead of {} were loaded with `{}`",
                copy.rows,
                shorten(&copy.sql)
            );
            return Err(Error::new(ErrorKind::Damaged, "postgres.restore", message));
        }
        Ok(())
    }
}

/// Rows that are being loaded.
struct Copy {
    /// The statement as in the payload.
    header: Bytes,
    sql: String,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    /// How many rows were sent.
    rows: u64,
}

impl Copy {
    fn failed(&self, error: tokio_postgres::Error) -> Error {
        let what = format!("cannot load rows with `{}`", shorten(&self.sql));
        crate::sources::postgres::connect::error::failed("postgres.restore", what, error)
    }
}

/// The plain bytes `at..at + len` of the payload, which must be in `frame`.
fn slice(plain: &Bytes, frame: &FrameRecord, at: u64, len: u64) -> Result<Bytes> {
    let range = at.checked_sub(frame.plain_offset).and_then(|start| {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= plain.len()).then_some(start..end)
    });
    match range {
        Some(range) => Ok(plain.slice(range)),
        None => {
            let message = "the index has statements outside of their frame";
            Err(Error::new(ErrorKind::Damaged, "postgres.restore", message))
        }
    }
}

/// The length of `COPY … FROM stdin;` with its newline. A quoted name may contain anything.
fn header_len(block: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let end = block.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    })?;
    (block.starts_with(b"COPY ") && block.get(end + 1) == Some(&b'\n')).then_some(end + 2)
}
