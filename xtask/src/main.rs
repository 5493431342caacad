//! Project chores. `cargo xtask test` is the gate; `cargo xtask page` builds the web page; `cargo xtask bench` measures beside other systems;
//! `cargo xtask paper` is a story that takes too long for the gate.
//!
//! Not its job: anything the program itself does.

mod bench;
mod count;
mod gate;
mod page;
mod paper;
mod run;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--quick]   install what tests need, then format, lint and every test
cargo xtask page             after a change of the API or of ui/: build the web page that goes into the program
cargo xtask bench [NAME...]  measure side by side with other systems (see bench/README.md)
cargo xtask paper            get 10 000 files and 1 GiB back from a printed sheet and a hub (1 minute, 8 GB of disk)
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let outcome = match args.next().as_deref() {
        Some("test") => gate::test(args.any(|arg| arg == "--quick")),
        Some("page") => page::build(),
        Some("paper") => paper::story(),
        Some("bench") => bench::run(&args.collect::<Vec<_>>()),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
