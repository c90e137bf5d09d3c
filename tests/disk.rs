//! Whatever is written is whole under its name or not there, and what it replaces stays until then.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use proptest::prelude::*;
use slimgpt::disk::{self, DiskError, NewFile, NewFolder, REPLACED};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    disk::names(folder).unwrap()
}

/// The one file of a folder in these tests.
fn content(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("weights")).ok()
}

fn make(out: &Path, text: &str) -> NewFolder {
    let folder = NewFolder::begin(out).unwrap();
    disk::put(&folder.path().join("weights"), text.as_bytes()).unwrap();
    disk::put(&folder.scratch().join("part"), b"not wanted in the end").unwrap();
    folder
}

/// Gives a folder its name, whatever stands there.
fn finish(folder: NewFolder) -> Result<(), DiskError> {
    folder.finish(|_| Ok(()))
}

proptest! {
    #[test]
    fn a_file_is_whole_or_as_it_was(
        older in proptest::option::of(any::<Vec<u8>>()),
        pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..5),
        finished in any::<bool>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        older.iter().for_each(|bytes| fs::write(&out, bytes).unwrap());
        let mut file = NewFile::begin(&out).unwrap();
        for piece in &pieces {
            file.write(piece).unwrap();
            prop_assert_eq!(fs::read(&out).ok(), older.clone());
        }
        if finished { file.finish().unwrap() } else { drop(file) }
        let want = if finished { Some(pieces.concat()) } else { older };
        prop_assert_eq!(names(place.path()).len(), usize::from(want.is_some()));
        prop_assert_eq!(fs::read(&out).ok(), want);
    }

    #[test]
    fn a_folder_is_whole_or_as_it_was(
        older in proptest::option::of("[a-z]*"),
        newer in "[a-z]*",
        finished in any::<bool>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        older.iter().for_each(|text| finish(make(&out, text)).unwrap());
        let folder = make(&out, &newer);
        prop_assert_eq!(content(&out), older.clone());
        if finished { finish(folder).unwrap() } else { drop(folder) }
        let want = if finished { Some(newer) } else { older };
        prop_assert_eq!(names(place.path()).len(), usize::from(want.is_some()));
        prop_assert_eq!(content(&out), want);
    }

    #[test]
    fn a_process_may_die_between_any_two_renames(older in "[a-z]*", newer in proptest::option::of("[a-z]*")) {
        // Where names cannot be exchanged: the older lies aside, and perhaps its successor has the name.
        let place = tempfile::tempdir().unwrap();
        let (work, out) = (place.path().join("out.unfinished.abc123"), place.path().join("out"));
        fs::create_dir_all(work.join(REPLACED)).unwrap();
        fs::write(work.join(REPLACED).join("weights"), &older).unwrap();
        if let Some(text) = &newer {
            fs::create_dir(&out).unwrap();
            fs::write(out.join("weights"), text).unwrap();
        }
        drop(NewFolder::begin(&out).unwrap());
        prop_assert_eq!(content(&out), newer.or(Some(older)));
        prop_assert_eq!(names(place.path()), ["out"]);
    }
}

#[test]
fn what_fails_in_the_middle_leaves_what_was_there() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    finish(make(&out, "old")).unwrap();
    // A folder stands where the file should go.
    let refused = disk::write(&out, b"a file").unwrap_err();
    assert!(refused.path == out && refused.to_string().contains("could not be given its name"), "{refused}");
    // The new folder is gone before it has the name.
    let folder = make(&out, "new");
    fs::remove_dir_all(folder.path()).unwrap();
    finish(folder).unwrap_err();
    assert_eq!((content(&out).as_deref(), names(place.path())), (Some("old"), vec!["out".to_owned()]));
    let nowhere = NewFile::begin(&out.join("weights/in/a/file")).err().unwrap();
    assert!(nowhere.to_string().ends_with("check the path"), "{nowhere}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_replaced_folder_is_there_at_every_moment() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    finish(make(&out, "0")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looked = scope.spawn(|| {
            let (mut looks, mut absent) = (0, 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                looks += 1;
                absent += usize::from(!out.is_dir());
            }
            (looks, absent)
        });
        (1..100).for_each(|i| finish(make(&out, &i.to_string())).unwrap());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let (looks, absent) = looked.join().unwrap();
        assert!(looks > 0 && absent == 0, "absent in {absent} of {looks} looks");
    });
    assert_eq!(content(&out).as_deref(), Some("99"));
}

#[test]
fn only_what_nobody_holds_is_cleared_away() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    for name in ["out.unfinished.abc123", "out.unfinished.abc", "other.unfinished.abc123", "out.abc123"] {
        fs::write(place.path().join(name), "half").unwrap();
    }
    let (first, second) = (NewFile::begin(&out).unwrap(), NewFile::begin(&out).unwrap());
    assert_eq!(names(place.path()).len(), 5, "the abandoned file is gone, both new ones are there");
    second.finish().unwrap();
    first.finish().unwrap();
    assert_eq!(names(place.path()), ["other.unfinished.abc123", "out", "out.abc123", "out.unfinished.abc"]);
}

#[test]
fn what_comes_meanwhile_and_may_not_go_keeps_its_name() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let refused = || DiskError::at("replaced", &out)(ErrorKind::AlreadyExists.into());
    // Asked before anything moves, it was not there yet.
    let asked = std::cell::Cell::new(0);
    let comes_late = |at: &Path| {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => fs::create_dir(&out).and_then(|()| fs::write(out.join("weights"), "mine")).map_err(|_| refused()),
            _ if content(at).as_deref() == Some("mine") => Err(refused()),
            _ => Ok(()),
        }
    };
    make(&out, "new").finish(comes_late).unwrap_err();
    assert_eq!((content(&out).as_deref(), names(place.path())), (Some("mine"), vec!["out".to_owned()]));
    // A file likewise.
    let file = place.path().join("file");
    let mut new = NewFile::begin(&file).unwrap();
    new.write(b"new").unwrap();
    let late = || fs::write(&file, "mine").map(|()| false).map_err(|_| refused());
    new.finish_if(late).unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_folder_is_filled_or_as_it_was_wherever_the_process_died() {
    let place = tempfile::tempdir().unwrap();
    let state = |out: &Path| -> Vec<(String, String)> {
        let files = names(out).into_iter().filter(|name| name != "work");
        files.map(|name| (name.clone(), fs::read_to_string(out.join(name)).unwrap())).collect()
    };
    let set_up = |out: &Path| {
        let put = |folder: &Path, name: &str, text: &str| {
            fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(name), text)).unwrap();
        };
        for (name, text) in [("config.json", "old"), ("a", "old"), ("only-old", "old")] {
            put(out, name, text);
        }
        for (name, text) in [("config.json", "new"), ("a", "new"), ("only-new", "new")] {
            put(&out.join("work").join(disk::FINAL), name, text);
        }
    };
    let whole = place.path().join("whole");
    set_up(&whole);
    let old = state(&whole);
    disk::fill::<DiskError>(&whole.join("work"), &whole, |_| Ok(())).unwrap();
    let new = state(&whole);
    assert!(new.iter().all(|(_, text)| text == "new") && new.len() == 3, "{new:?}");
    assert!(names(&whole.join("work")).is_empty());
    // What is not to go stays, and so does what was to come.
    set_up(&whole);
    let refused = |_: &Path| Err(DiskError::at("replaced", &whole)(ErrorKind::AlreadyExists.into()));
    disk::fill(&whole.join("work"), &whole, refused).unwrap_err();
    assert!(whole.join("work").join(disk::FINAL).join("config.json").is_file());
    // Killed after so many renames: in whichever order, the mark leaves first and comes last.
    for died in 0..7 {
        let out = place.path().join(died.to_string());
        set_up(&out);
        let (work, aside) = (out.join("work"), out.join("work").join(REPLACED));
        fs::create_dir(&aside).unwrap();
        let arriving = work.join(disk::ARRIVING);
        let leave = ["config.json", "a", "only-old"].map(|name| (out.join(name), aside.join(name)));
        let turn = [(work.join(disk::FINAL), arriving.clone())];
        let come = ["a", "only-new", "config.json"].map(|name| (arriving.join(name), out.join(name)));
        for (from, to) in leave.iter().chain(&turn).chain(&come).take(died) {
            fs::rename(from, to).unwrap();
        }
        disk::settle(&work, &out).unwrap();
        assert_eq!(state(&out), if died < 4 { old.clone() } else { new.clone() }, "after {died} renames");
        assert!(!aside.exists() && !arriving.exists());
    }
}

#[test]
fn what_is_discarded_has_no_name_and_a_killed_process_leaves_no_part_of_it() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out.partial");
    // Left by a process that was killed in here.
    fs::create_dir_all(place.path().join("out.partial.unfinished.abc123/half")).unwrap();
    fs::create_dir_all(folder.join("inner")).unwrap();
    disk::discard(&folder);
    assert!(names(place.path()).is_empty());
}

#[test]
fn whoever_waits_for_a_turn_gets_it_and_the_lock_is_gone() {
    let place = tempfile::tempdir().unwrap();
    let (lock, count) = (place.path().join("lock"), place.path().join("count"));
    fs::write(&count, "0").unwrap();
    let add = || {
        disk::in_turn::<_, DiskError>(&lock, || {
            let seen: usize = fs::read_to_string(&count).unwrap().parse().unwrap();
            fs::write(&count, (seen + 1).to_string()).unwrap();
            Ok(())
        })
        .unwrap();
    };
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| (0..25).for_each(|_| add()))));
    });
    assert_eq!((fs::read(&count).unwrap(), names(place.path())), (b"200".to_vec(), vec!["count".to_owned()]));
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_the_folder_behind_it_is_meant() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().canonicalize().unwrap().join(name);
    fs::create_dir(at("big")).unwrap();
    std::os::unix::fs::symlink("big", at("link")).unwrap();
    for name in ["big", "link", "link/", "big/."] {
        assert_eq!(disk::real(&at(name)), at("big"), "{name}");
    }
    assert_eq!(disk::real(&at("not there")), at("not there"));
    assert!(!disk::is_mount_point(&at("big")));
    #[cfg(target_os = "linux")]
    assert!(disk::is_mount_point(Path::new("/proc")));
}

#[test]
fn a_lock_is_held_by_one_and_empties_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("lock");
    fs::write(&path, "text").unwrap();
    let held = disk::lock(&path).unwrap();
    assert!(held.is_some() && disk::lock(&path).unwrap().is_none());
    drop(held);
    assert!(disk::lock(&path).unwrap().is_some());
    assert_eq!(fs::read(&path).unwrap(), b"text");
    #[cfg(unix)]
    {
        let link = place.path().join("link");
        std::os::unix::fs::symlink(place.path().join("elsewhere"), &link).unwrap();
        disk::lock(&link).unwrap_err();
        assert!(!place.path().join("elsewhere").exists());
    }
}

#[cfg(unix)]
#[test]
fn what_is_new_may_be_read_by_whoever_may_read_other_new_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode();
    fs::write(at("usual"), "").unwrap();
    fs::create_dir(at("usual folder")).unwrap();
    disk::write(&at("new"), b"").unwrap();
    fs::write(at("replaced"), "").unwrap();
    fs::set_permissions(at("replaced"), fs::Permissions::from_mode(0o600)).unwrap();
    disk::write(&at("replaced"), b"").unwrap();
    disk::write_with::<DiskError>(&at("by a library"), |path| {
        fs::write(path, "").and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600))).unwrap();
        Ok(())
    })
    .unwrap();
    finish(make(&at("new folder"), "")).unwrap();
    for name in ["new", "replaced", "by a library", "new folder/weights"] {
        assert_eq!(mode(name), mode("usual"), "{name}");
    }
    assert_eq!(mode("new folder"), mode("usual folder"));
}

#[test]
fn an_error_says_what_helps() {
    let says = |action, kind: ErrorKind| DiskError::at(action, Path::new("a/b"))(io::Error::from(kind)).to_string();
    assert!(says("written", ErrorKind::StorageFull).contains("a/b could not be written: "));
    assert!(says("written", ErrorKind::StorageFull).contains("free some space"));
    assert!(says("made", ErrorKind::ReadOnlyFilesystem).contains("choose a place that can be written"));
    assert!(says("read", ErrorKind::PermissionDenied).ends_with("; change its permissions"));
    assert!(says("read", ErrorKind::NotFound).ends_with("; check the path"));
}
