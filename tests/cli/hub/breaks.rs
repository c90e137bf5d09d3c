//! Downloads that break: what arrived is used, and only what is the file gets its name.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::server::{Answer, Asked, Server, sha256};
use super::{asking, names, repository, snapshot, tiny, weights};
use crate::{ended, temporary};

const INSPECT: [&str; 2] = ["inspect", "org/tiny"];

fn incomplete() -> String {
    format!("{}.incomplete", sha256(&weights()))
}

#[test]
fn a_connection_that_breaks_goes_on_where_it_was() {
    let third = weights().len() / 3;
    let times = AtomicUsize::new(0);
    let twist = move |asked: &Asked, answer: &mut Answer| {
        if !asked.is_hub && times.fetch_add(1, Ordering::SeqCst) < 2 {
            answer.cut = Some(third);
        }
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    let done = ended(&mut asking(&server, folder.path(), &INSPECT)).with(0);
    assert!(done.err.contains("trying again"), "{}", done.err);
    assert_eq!(server.ranges(), [0, third, 2 * third]);
    assert_eq!(std::fs::read(snapshot(folder.path()).join("model.safetensors")).unwrap(), weights());
    assert!(!names(&repository(folder.path()).join("blobs")).contains(&incomplete()));
}

/// A hub whose storage stops in the middle of the weights and says nothing more, once; and how many bytes that are.
fn halting() -> (Server, usize) {
    let half = weights().len() / 2;
    (Server::halting(tiny(), half), half)
}

/// The program when half of the weights have arrived.
fn at_half(server: &Server, home: &Path, half: usize) -> Child {
    let mut command = asking(server, home, &INSPECT);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let part = repository(home).join("blobs").join(incomplete());
    let since = Instant::now();
    while part.metadata().map_or(0, |data| data.len()) < half as u64 {
        assert!(since.elapsed() < Duration::from_secs(60), "half of it never arrived");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn a_killed_download_is_gone_on_with() {
    let (folder, (server, half)) = (temporary(), halting());
    let mut child = at_half(&server, folder.path(), half);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!snapshot(folder.path()).join("model.safetensors").exists());
    let second = ended(&mut asking(&server, folder.path(), &INSPECT)).with(0);
    assert_eq!(server.ranges(), [0, half]);
    // Of what is to come, only what is still to come is told.
    assert!(second.err.contains("downloading org/tiny") && second.err.contains("1 file"), "{}", second.err);
}

#[cfg(unix)]
#[test]
fn a_signal_stops_a_download_at_once_and_says_what_is_kept() {
    for signal in ["-INT", "-TERM"] {
        let (folder, (server, half)) = (temporary(), halting());
        let child = at_half(&server, folder.path(), half);
        let since = Instant::now();
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{signal}: {said}");
        // The server would say nothing for two minutes.
        assert!(since.elapsed() < Duration::from_secs(20), "{signal}: {:?}", since.elapsed());
        assert!(said.contains("what has arrived is kept") && said.contains("goes on from there"), "{said}");
        assert!(!said.contains("no folder"), "{said}");
        ended_whole(&server, folder.path(), half);
    }
}

/// Fails unless the next download goes on from the bytes that are there.
#[cfg(unix)]
fn ended_whole(server: &Server, home: &Path, from: usize) {
    ended(&mut asking(server, home, &INSPECT)).with(0);
    assert_eq!(server.ranges(), [0, from]);
    assert_eq!(std::fs::read(snapshot(home).join("model.safetensors")).unwrap(), weights());
}

/// The program with something that an earlier download is to have left.
fn after(left: &[u8]) -> Vec<usize> {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let blobs = repository(folder.path()).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(incomplete()), left).unwrap();
    ended(&mut asking(&server, folder.path(), &INSPECT)).with(0);
    assert_eq!(std::fs::read(snapshot(folder.path()).join("model.safetensors")).unwrap(), weights());
    server.ranges()
}

#[test]
fn what_an_earlier_download_left_is_checked() {
    let (whole, half) = (weights(), weights().len() / 2);
    assert_eq!(after(&whole[..half]), [half]);
    // All of it, but killed before it got its name.
    assert_eq!(after(&whole), [] as [usize; 0]);
    assert_eq!(after(&[]), [0]);
    // Zeros, as a power cut leaves them; and more than there can be.
    assert_eq!(after(&vec![0; half]), [half, 0]);
    assert_eq!(after(&[&whole[..], b"more"].concat()), [0]);
}

#[test]
fn a_server_without_ranges_sends_all_of_it() {
    let half = weights().len() / 2;
    let times = AtomicUsize::new(0);
    let twist = move |asked: &Asked, answer: &mut Answer| match asked.is_hub {
        false if times.fetch_add(1, Ordering::SeqCst) == 0 => answer.cut = Some(half),
        false => *answer = Answer { body: weights(), ..Answer::of(200, &[]) },
        true => {}
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(&server, folder.path(), &INSPECT)).with(0);
    assert_eq!(server.ranges(), [0, half]);
}

#[test]
fn bytes_with_another_hash_get_no_name() {
    for large in [true, false] {
        let twist = move |asked: &Asked, answer: &mut Answer| {
            let is_small = asked.method == "GET" && asked.path.ends_with("/tokenizer.json");
            if (large && !asked.is_hub) || (!large && is_small) {
                answer.body[100] ^= 1;
            }
        };
        let (folder, server) = (temporary(), Server::with(tiny(), twist));
        let file = if large { "model.safetensors" } else { "tokenizer.json" };
        ended(&mut asking(&server, folder.path(), &INSPECT)).with(1).saying(&[file, "hash", "org/tiny", "try again"]);
        assert!(!snapshot(folder.path()).join("model.safetensors").exists());
        // The next try begins anew.
        let blobs = repository(folder.path()).join("blobs");
        let bytes = |name: &String| std::fs::metadata(blobs.join(name)).unwrap().len();
        assert!(names(&blobs).iter().filter(|name| name.ends_with(".incomplete")).all(|name| bytes(name) == 0));
    }
}

#[test]
fn a_server_that_does_not_end_fills_no_disk() {
    let twist = |asked: &Asked, answer: &mut Answer| {
        if !asked.is_hub {
            answer.body.extend(vec![7; 1 << 20]);
        }
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(&server, folder.path(), &INSPECT)).with(0);
    assert_eq!(std::fs::read(snapshot(folder.path()).join("model.safetensors")).unwrap(), weights());
}
