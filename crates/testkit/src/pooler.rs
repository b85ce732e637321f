//! A small connection pooler in transaction mode, like PgBouncer: it lends a session of the server to a client for one
//! transaction, then to the next one. What belongs to a session therefore reaches other clients.
//!
//! It knows what tests need: no passwords, no TLS, no COPY, no flush without a sync.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::messages::{Message, close, message, name_at, read_message, rename, text};
use crate::target::{Stream, Target};

/// What the pooler does with named prepared statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    /// It gives each text a name of its own and prepares it again in each session that lacks it, as PgBouncer does since 1.21.
    Kept,
    /// They stay in the session in which they were prepared, as with PgBouncer before 1.21.
    Lost,
}

/// The start parameters that PgBouncer accepts unless it is configured to ignore others.
const PARAMETERS: [&str; 6] = [
    "user",
    "database",
    "application_name",
    "client_encoding",
    "datestyle",
    "timezone",
];

/// Pools connections to one database. Ends when dropped.
#[derive(Debug)]
pub struct TransactionPooler {
    url: String,
    accepting: AbortHandle,
}

/// A session of the server.
struct Session {
    stream: Box<dyn Stream>,
    prepared: HashSet<String>,
}

struct Pool {
    target: Target,
    user: String,
    database: String,
    statements: Statements,
    idle: Mutex<Vec<Session>>,
    /// One for each session that may be lent at once.
    permits: Arc<Semaphore>,
    /// The name of each text of a statement.
    names: Mutex<HashMap<Vec<u8>, String>>,
}

impl TransactionPooler {
    /// A pooler with at most that many sessions of the database of these options, on a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(database: &PgConnectOptions, sessions: usize, statements: Statements) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (user, name) = (database.get_username(), database.get_database().unwrap_or("postgres"));
        let pool = Arc::new(Pool {
            target: Target::of(database),
            user: user.to_owned(),
            database: name.to_owned(),
            statements,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(sessions)),
            names: Mutex::default(),
        });
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    // A broken connection is what both ends then see.
                    let _ = pool.serve(client).await;
                });
            }
        });
        Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable"),
            accepting: accepting.abort_handle(),
        }
    }

    /// The address of the database through the pooler.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for TransactionPooler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Pool {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        if !greet(&mut client, &self.database, self.statements).await? {
            return Ok(());
        }
        let mut statements = HashMap::new();
        // A session that is not given back, for lack of a clean end, is closed.
        let mut lent: Option<(Session, OwnedSemaphorePermit)> = None;
        loop {
            // Up to the message to which the server answers with its state.
            let mut batch = Vec::new();
            loop {
                let message = read_message(&mut client).await?;
                if message.kind == b'X' {
                    return Ok(());
                }
                let is_last = matches!(message.kind, b'S' | b'Q');
                batch.push(message);
                if is_last {
                    break;
                }
            }
            let (mut session, permit) = match lent.take() {
                Some(lent) => lent,
                None => self.lend().await?,
            };
            let status = self.exchange(batch, &mut session, &mut client, &mut statements).await?;
            if status == b'I' {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            } else {
                lent = Some((session, permit));
            }
        }
    }

    /// Sends the batch, passes the answers on, and returns the state of the transaction.
    async fn exchange(
        &self,
        batch: Vec<Message>,
        session: &mut Session,
        client: &mut TcpStream,
        statements: &mut HashMap<String, Vec<u8>>,
    ) -> io::Result<u8> {
        // Whether each coming completion of a Parse or a Close is the answer to a message of the pooler's own.
        let (mut own, mut out, mut added) = (VecDeque::new(), Vec::new(), Vec::new());
        for message in batch {
            if self.statements == Statements::Lost {
                out.extend(message.bytes());
                own.extend(matches!(message.kind, b'P' | b'C').then_some(false));
            } else {
                self.translate(
                    &message,
                    session,
                    statements,
                    &mut Translation {
                        out: &mut out,
                        own: &mut own,
                        added: &mut added,
                    },
                );
            }
        }
        session.stream.write_all(&out).await?;
        loop {
            let answer = read_message(&mut session.stream).await?;
            match answer.kind {
                b'1' | b'3' if own.pop_front() == Some(true) => continue,
                b'E' => added.drain(..).for_each(|name: String| {
                    session.prepared.remove(&name);
                }),
                _ => {}
            }
            client.write_all(&answer.bytes()).await?;
            if answer.kind == b'Z' {
                return answer
                    .body
                    .first()
                    .copied()
                    .ok_or_else(|| Error::from(ErrorKind::InvalidData));
            }
        }
    }

    /// Gives the statements of a message names that are the same for all clients, and prepares what the session lacks.
    fn translate(
        &self,
        message: &Message,
        session: &mut Session,
        statements: &mut HashMap<String, Vec<u8>>,
        to: &mut Translation<'_>,
    ) {
        let Some((at, name)) = name_at(message).filter(|(_, name)| !name.is_empty()) else {
            to.own.extend(matches!(message.kind, b'P' | b'C').then_some(false));
            to.out.extend(message.bytes());
            return;
        };
        match message.kind {
            b'P' => {
                let text = message.body[at + name.len() + 1..].to_vec();
                let global = self.name_of(&text);
                if !session.prepared.insert(global.clone()) {
                    // Prepared again, for the answer.
                    to.send(&close(&global), true);
                }
                to.added.push(global.clone());
                to.send(&rename(message, at, &name, &global), false);
                statements.insert(name, text);
            }
            b'C' => {
                statements.remove(&name);
                to.send(&rename(message, at, &name, "closed"), false);
            }
            _ => {
                let text = statements.get(&name).cloned().unwrap_or_default();
                let global = self.name_of(&text);
                if session.prepared.insert(global.clone()) {
                    to.added.push(global.clone());
                    let parse = Message {
                        kind: b'P',
                        body: [global.as_bytes(), b"\0", &text].concat(),
                    };
                    to.send(&parse, true);
                }
                to.out.extend(rename(message, at, &name, &global).bytes());
            }
        }
    }

    fn name_of(&self, text: &[u8]) -> String {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let next = format!("pooled_{}", names.len());
        names.entry(text.to_vec()).or_insert(next).clone()
    }

    /// The session that was used last, as with PgBouncer, or a new one. Waits while all are lent.
    async fn lend(&self) -> io::Result<(Session, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => self.open().await?,
        };
        Ok((session, permit))
    }

    async fn open(&self) -> io::Result<Session> {
        let mut stream = self.target.connect().await?;
        let mut start = 196_608_u32.to_be_bytes().to_vec();
        for part in ["user", &self.user, "database", &self.database, "TimeZone", "UTC", ""] {
            start.extend(text(part));
        }
        let length = u32::try_from(start.len() + 4).unwrap_or_default().to_be_bytes();
        stream.write_all(&[&length, start.as_slice()].concat()).await?;
        loop {
            match read_message(&mut stream).await?.kind {
                b'Z' => break,
                b'E' => return Err(Error::from(ErrorKind::ConnectionRefused)),
                _ => {}
            }
        }
        Ok(Session {
            stream,
            prepared: HashSet::new(),
        })
    }
}

/// What is sent for a batch.
struct Translation<'t> {
    out: &'t mut Vec<u8>,
    own: &'t mut VecDeque<bool>,
    /// Statements that are prepared if the batch succeeds.
    added: &'t mut Vec<String>,
}

impl Translation<'_> {
    fn send(&mut self, message: &Message, is_own: bool) {
        self.out.extend(message.bytes());
        self.own.push_back(is_own);
    }
}

/// Accepts a client. `false` if it was refused.
async fn greet(client: &mut TcpStream, database: &str, statements: Statements) -> io::Result<bool> {
    let length = client.read_u32().await?;
    let mut start = vec![0; usize::try_from(length).unwrap_or_default().saturating_sub(4)];
    client.read_exact(&mut start).await?;
    let parts: Vec<String> = start[4..]
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    for pair in parts.chunks(2).filter(|pair| pair.len() == 2 && !pair[0].is_empty()) {
        let problem = if pair[0] == "options" && statements == Statements::Kept {
            // PgBouncer has understood the parameter since 1.20, and refuses what is in it.
            format!("unsupported startup parameter in options: {}", pair[1])
        } else if !PARAMETERS.contains(&pair[0].to_lowercase().as_str()) {
            format!("unsupported startup parameter: {}", pair[0])
        } else if pair[0] == "database" && pair[1] != database {
            format!("no such database: {}", pair[1])
        } else {
            continue;
        };
        let fields = format!("SFATAL\0C08P01\0M{problem}\0\0");
        client.write_all(&message(b'E', fields.as_bytes()).bytes()).await?;
        return Ok(false);
    }
    let welcome = [
        message(b'R', &[0; 4]),
        message(b'S', b"server_version\x0015.0\0"),
        message(b'K', &[7; 8]),
        message(b'Z', b"I"),
    ];
    client
        .write_all(&welcome.map(|message| message.bytes()).concat())
        .await?;
    Ok(true)
}
