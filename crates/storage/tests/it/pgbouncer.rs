//! With PgBouncer itself: `./dev poolers` passes the programs of several versions.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use storage::PoolerError;
use tempfile::TempDir;

use crate::pooler::{database, everything_works, problem};
use crate::support::{Db, TIMEOUT};

struct PgBouncer {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// In transaction mode. `more` are lines of its configuration.
    async fn start(program: &str, db: &Db, more: &str) -> Self {
        let server: PgConnectOptions = db.test.url().parse().unwrap();
        let folder = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let [configuration, users] = ["pgbouncer.ini", "users.txt"].map(|file| folder.path().join(file));
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = server
            .get_socket()
            .map_or(server.get_host().to_owned(), |socket| socket.display().to_string());
        fs::write(&users, format!("\"{}\" \"\"\n", server.get_username())).unwrap();
        let text = format!(
            "[databases]\n* = host={host} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = 3\n{more}\n",
            server.get_port(),
            users.display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program);
        if fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0) {
            // As the server of the tests, whose folder others cannot enter.
            command.args(["-u", "postgres"]);
        }
        let child = command
            .arg(&configuration)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let name = db.name().await;
        let url = format!(
            "postgres://{}@127.0.0.1:{port}/{name}?sslmode=disable",
            server.get_username()
        );
        let pgbouncer = Self {
            child,
            url,
            _folder: folder,
        };
        let options: PgConnectOptions = pgbouncer.url.parse().unwrap();
        let started = async {
            while PgConnection::connect_with(&options.clone().extra_float_digits(None))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(TIMEOUT, started).await.unwrap();
        pgbouncer
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `--version` says: `PgBouncer 1.24.1`.
fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
#[ignore = "needs PgBouncer: ./dev poolers"]
#[expect(clippy::disallowed_methods, reason = "a command passes the programs")]
async fn it_works_from_1_21_and_is_refused_below() {
    let programs = std::env::var("TEST_PGBOUNCERS").expect("set by ./dev poolers");
    for program in programs.split(':') {
        let version = version(program);
        let db = Db::new().await;
        let checked = async |more: &str| {
            let pgbouncer = PgBouncer::start(program, &db, more).await;
            database(&pgbouncer.url, Some(db.url())).require_schema().await
        };
        let is_old = version.starts_with("PgBouncer 1.18");
        // The console is open to those users only.
        let open = "stats_users = postgres";
        if is_old {
            let told = problem(checked(open).await);
            assert_eq!(told, PoolerError::TooOld(version.clone()));
            println!("{version}, with its console: {told}");
            let guessed = problem(checked("").await);
            assert_eq!(guessed, PoolerError::TooOld("PgBouncer older than 1.20".to_owned()));
            let seen = problem(checked("ignore_startup_parameters = options").await);
            assert_eq!(seen, PoolerError::LosesStatements);
            println!("{version}, without: {seen}");
        } else {
            for off in [
                "max_prepared_statements = 0",
                "max_prepared_statements = 0\nignore_startup_parameters = options",
            ] {
                assert_eq!(problem(checked(off).await), PoolerError::LosesStatements);
            }
            for on in [
                "max_prepared_statements = 100",
                "max_prepared_statements = 5\nstats_users = postgres",
            ] {
                let pgbouncer = PgBouncer::start(program, &db, on).await;
                everything_works(&database(&pgbouncer.url, Some(db.url()))).await;
                db.run("DELETE FROM request_log; DELETE FROM api_key; DELETE FROM company WHERE id > 1")
                    .await;
            }
            println!("{version}: everything works, by many clients on 3 sessions");
        }
        let pgbouncer = PgBouncer::start(program, &db, "").await;
        let alone = problem(database(&pgbouncer.url, None).migrate().await);
        assert_eq!(alone, PoolerError::DirectUrlMissing);
    }
}
