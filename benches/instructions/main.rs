//! How many instructions the core's short work takes, against a baseline in the repository. Counts are stable where times are not.
//!
//! `make instructions`, or `make instructions ACCEPT=1` to make what is counted now the baseline. Each piece runs N and 2N times in
//! processes of their own under callgrind, so that the difference is N times the work alone, without starting and setting up.
//!
//! Callgrind counts what the program executes outside of the kernel: not system calls, not stalls and misses, which `cargo bench` times.
//! It does not know AVX-512: a program sees a processor without it, so that the C library copies with AVX2 at most.

mod pieces;

use std::env::{self, consts::ARCH};
use std::error::Error;
use std::process::{Child, Command, ExitCode, Stdio};

use pieces::PIECES;
use toml_edit::{DocumentMut, Table, value};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml");
/// Where the baseline says by which compiler.
const RUSTC: &str = "rustc";
/// So many percent more fail; so many fewer are worth telling.
const LIMIT: f64 = 10.0;
/// So many times, and twice as many. What differs between two runs by chance, such as seeds of hashes, is then below one instruction.
const TIMES: u64 = 2000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--piece", name, times] => perform(name, times).map(|()| true),
        rest => guard(rest.contains(&"--accept")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a process under callgrind does.
fn perform(name: &str, times: &str) -> Result<()> {
    let (_, work) = PIECES.iter().find(|(piece, _)| *piece == name).ok_or("no such piece")?;
    work(times.parse()?);
    Ok(())
}

/// Counts all pieces; `false` when one takes too many instructions.
fn guard(accept: bool) -> Result<bool> {
    let mut document: DocumentMut = std::fs::read_to_string(BASELINE).map_err(|error| format!("{BASELINE}: {error}"))?.parse()?;
    let rustc = rustc()?;
    let baseline =
        document.entry(ARCH).or_insert(Table::new().into()).as_table_mut().ok_or("the baseline of an architecture is a table")?;
    let mut counts = Vec::new();
    println!("{:32} {:>8} {:>8} {:>9}", "instructions", "baseline", "now", "change");
    let (mut dearer, mut cheaper, mut unknown) = (0, 0, 0);
    for (name, _) in PIECES {
        let count = instructions(name)?;
        counts.push((name, count));
        let Some(before) = baseline.get(name).and_then(|before| before.as_integer()) else {
            println!("{name:32} {:>8} {count:8} {:>9}", "-", "new");
            unknown += 1;
            continue;
        };
        let change = 100.0 * (count as f64 / before as f64 - 1.0);
        let verdict = if change > LIMIT {
            dearer += 1;
            "  too many"
        } else if change < -LIMIT {
            cheaper += 1;
            "  fewer"
        } else {
            ""
        };
        println!("{name:32} {before:8} {count:8} {change:+8.1}%{verdict}");
    }
    if let Some(other) = baseline.get(RUSTC).and_then(|made_by| made_by.as_str()).filter(|made_by| *made_by != rustc) {
        println!("the baseline is of {other}, this is {rustc}");
    }
    if accept {
        // Emptied, not replaced: comments stay.
        baseline.clear();
        baseline[RUSTC] = value(rustc);
        baseline.extend(counts);
        std::fs::write(BASELINE, document.to_string())?;
        println!("this is the baseline now; commit benches/instructions.toml");
        return Ok(true);
    }
    if cheaper > 0 {
        println!("{cheaper} take over {LIMIT} % fewer instructions: `make instructions ACCEPT=1` keeps the gain");
    }
    if dearer > 0 {
        println!("{dearer} take over {LIMIT} % more instructions; where that is worth it, `make instructions ACCEPT=1` accepts it");
    }
    if unknown > 0 {
        println!("{unknown} are not in the baseline for {ARCH}: `make instructions ACCEPT=1` writes it");
    }
    Ok(dearer + unknown == 0)
}

/// How many instructions the piece takes once.
fn instructions(piece: &str) -> Result<i64> {
    let (once, twice) = (count(piece, TIMES)?, count(piece, 2 * TIMES)?);
    let (once, twice) = (collected(once)?, collected(twice)?);
    Ok((twice - once + TIMES as i64 / 2) / TIMES as i64)
}

/// Starts the piece under callgrind.
fn count(piece: &str, times: u64) -> Result<Child> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(env::current_exe()?).args(["--piece", piece, &times.to_string()]).stderr(Stdio::piped());
    command.spawn().map_err(|error| format!("cannot run valgrind: {error}").into())
}

/// What callgrind says at the end: `==123== Collected : 4567`.
fn collected(counting: Child) -> Result<i64> {
    let output = counting.wait_with_output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let found = log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    found.filter(|_| output.status.success()).ok_or_else(|| format!("the piece failed under callgrind:\n{log}").into())
}

fn rustc() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().map_err(|error| format!("cannot run rustc: {error}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
