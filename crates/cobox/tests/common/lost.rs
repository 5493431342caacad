//! What is lost with a computer, and the sheet that it left: the story behind paper keys.

use crate::common::lan::{Lan, set_up, tell};
use crate::common::node::finish;
use crate::common::random::Random;
use crate::common::{Node, until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How much there is to lose.
#[derive(Clone, Copy)]
pub struct Size {
    /// small files
    pub files: usize,
    /// bytes of one large file
    pub large: usize,
}

/// What a test can wait for.
pub const SMALL: Size = Size {
    files: 300,
    large: 12 << 20,
};

impl Size {
    /// Of all files together.
    pub fn bytes(self) -> usize {
        (0..self.files).map(length).sum::<usize>() + self.large
    }

    /// The files themselves.
    pub fn fill(self, source: &Path) {
        for number in 0..self.files {
            let folder = source.join(format!("small/{}", number % 7));
            fs::create_dir_all(&folder).unwrap();
            let bytes = Random::new(number as u64 + 1).bytes(length(number));
            fs::write(folder.join(format!("{number}.txt")), bytes).unwrap();
        }
        let large = Random::new(1000).bytes(self.large);
        fs::write(source.join("large.bin"), large).unwrap();
    }
}

fn length(number: usize) -> usize {
    number * 13 % 4000
}

/// Ann commands a hub that keeps all of her space, and has printed the sheet.
pub struct Printed {
    /// her program
    pub ann: Node,
    /// the hub, claimed by her and called attic
    pub hub: Node,
    /// where her files came from
    pub source: PathBuf,
    /// of the space
    pub address: String,
    /// the sheet
    pub pdf: PathBuf,
    dir: tempfile::TempDir,
}

/// The same when her computer is gone: only hub and sheet are left.
pub struct Lost {
    /// the only one who has it all
    pub hub: Node,
    /// what is to come back
    pub source: PathBuf,
    /// of the space
    pub address: String,
    /// hers
    pub public_key: String,
    /// her devices and what they wrote with
    pub writers: Vec<(Value, Value)>,
    /// the sheet
    pub pdf: PathBuf,
    _dir: tempfile::TempDir,
}

impl Printed {
    /// Up to the sheet.
    pub fn of(size: Size) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lan = Lan::new();
        let (hub, ann) = (lan.hub(&[]), lan.person("Ann"));
        set_up(&ann, &hub, "attic");
        let created = ann.json(&["space", "create", "photos"]);
        let address = created["address"].as_str().unwrap().to_owned();
        let source = dir.path().join("source");
        size.fill(&source);
        let imported = ann.json(&["import".as_ref(), "photos".as_ref(), source.as_os_str()]);
        assert_eq!(imported["problems"], Value::Array(Vec::new()));
        tell(&ann, &["replicate", "attic", &address]);
        wait_for_copy(&ann);
        let pdf = dir.path().join("paper.pdf");
        print(&ann, &pdf);
        Self {
            ann,
            hub,
            source,
            address,
            pdf,
            dir,
        }
    }

    /// Her computer burns.
    pub fn lose(mut self) -> Lost {
        let lost = Lost {
            hub: self.hub,
            source: self.source,
            address: self.address,
            public_key: self.ann.public_key(),
            writers: devices(&self.ann),
            pdf: self.pdf,
            _dir: self.dir,
        };
        self.ann.kill9();
        fs::remove_dir_all(self.ann.home()).unwrap();
        lost
    }
}

/// `cobox backup identity`
pub fn print(node: &Node, pdf: &Path) {
    node.ok(&[
        "backup".as_ref(),
        "identity".as_ref(),
        "--pdf".as_ref(),
        pdf.as_os_str(),
    ]);
}

/// Until the first copy is whole.
pub fn wait_for_copy(node: &Node) {
    until("the replicator has all of it", || {
        let health = node.get("/spaces/photos/health");
        let behind = &health["copies"][0]["blocksBehind"];
        match health["copies"][0]["state"] == "complete" && *behind == 0 {
            true => Ok(()),
            false => Err(health.to_string()),
        }
    });
}

/// Devices of the first member and what they write with.
pub fn devices(node: &Node) -> Vec<(Value, Value)> {
    let members = node.space("photos")["members"].clone();
    let devices = members[0]["devices"].as_array().unwrap();
    let both = |device: &Value| (device["peerId"].clone(), device["writer"].clone());
    devices.iter().map(both).collect()
}

/// The sheet as `pdftotext` reads it.
pub fn text_of(pdf: &Path) -> String {
    let mut extract = Command::new("pdftotext");
    extract.arg(pdf).arg("-").stdout(Stdio::piped());
    let output = finish(extract, b"");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The codes on the sheet, as scanned at 150 dots per inch.
pub fn codes_of(pdf: &Path, dir: &Path) -> String {
    let mut render = Command::new("pdftoppm");
    render
        .args(["-r", "150", "-gray", "-png"])
        .arg(pdf)
        .arg(dir.join("page"));
    assert!(finish(render, b"").status.success());
    let mut codes = String::new();
    for page in fs::read_dir(dir).unwrap() {
        let path = page.unwrap().path();
        if path.extension().is_some_and(|end| end == "png") {
            let mut scan = Command::new("zbarimg");
            scan.args(["-q", "--raw"]).arg(path).stdout(Stdio::piped());
            codes.push_str(&String::from_utf8(finish(scan, b"").stdout).unwrap());
        }
    }
    codes
}
