//! Operations on files, each of which may be the last one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Whose what is made here is to be.
pub(crate) type Owner = Option<(u32, u32)>;

/// Before and after each operation: where tests end this process, or hear of what is done.
fn step() {
    #[cfg(test)]
    crate::faults::step();
}

/// Makes a new file that only its owner may read.
pub(crate) fn create(path: &Path, owner: Owner) -> io::Result<File> {
    step();
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&file, Some(user), Some(group))?;
    }
    step();
    Ok(file)
}

/// Makes a folder and its parents below `root`, which must be there with a file of the name `marker` in it; durable. Where the disk was
/// taken away a moment ago nothing is made on its mount point. Nothing below `root` is followed: whoever owns a folder there could
/// otherwise have root give away what a link of theirs leads to.
pub(crate) fn make_folders(root: &Path, folder: &Path, marker: &str, owner: Owner) -> io::Result<()> {
    let below = folder.strip_prefix(root).map_err(|_| {
        let message = format!("{} is not below {}", folder.display(), root.display());
        io::Error::new(ErrorKind::InvalidInput, message)
    })?;
    let mut parent = File::options().read(true).custom_flags(flags(OFlags::DIRECTORY)).open(root).map_err(|error| {
        let gone = error.kind() == ErrorKind::NotFound;
        if gone { io::Error::new(error.kind(), format!("{} is not there", root.display())) } else { error }
    })?;
    if below.components().next().is_some() {
        rustix::fs::accessat(&parent, marker, Access::EXISTS, AtFlags::empty()).map_err(|error| match error {
            Errno::NOENT => {
                io::Error::new(ErrorKind::NotFound, format!("there is no repository at {}", root.display()))
            }
            other => other.into(),
        })?;
    }
    for name in below {
        parent = enter(&parent, Path::new(name), owner)?;
    }
    Ok(())
}

/// Opens a folder below another one, which is made when it is not there.
fn enter(parent: &File, name: &Path, owner: Owner) -> io::Result<File> {
    let wanted = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, wanted, Mode::empty()).map(File::from);
    let (folder, made) = match open() {
        Err(Errno::NOENT) => {
            step();
            match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
                // Somebody else made it at the same time, whatever it is.
                Err(Errno::EXIST) => {}
                other => other?,
            }
            (open(), true)
        }
        other => (other, false),
    };
    let folder = folder.map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => {
            io::Error::new(ErrorKind::NotADirectory, format!("{} is no folder, or a link", name.display()))
        }
        other => other.into(),
    })?;
    // Also of one that was made by whoever was killed before it was given away.
    if let Some((user, group)) = owner
        && !is_of(&folder, user, group)?
    {
        std::os::unix::fs::fchown(&folder, Some(user), Some(group))?;
    }
    if made {
        step();
        sync(parent)?;
    }
    Ok(folder)
}

fn is_of(file: &File, user: u32, group: u32) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok((metadata.uid(), metadata.gid()) == (user, group))
}

/// Gives a folder of our own away; not one that a link leads to.
pub(crate) fn give(folder: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    let folder = File::options().read(true).custom_flags(flags(OFlags::DIRECTORY | OFlags::NOFOLLOW)).open(folder)?;
    std::os::unix::fs::fchown(&folder, Some(user), Some(group))
}

/// Opens a file that somebody else may have put there: no link, and nothing that has a reader wait.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(file)
}

/// For [`OpenOptionsExt::custom_flags`].
pub(crate) fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or(0)
}

/// Writes a part.
pub(crate) fn write(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    step();
    file.write(bytes)
}

/// Has a file's content survive a power cut.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    step();
    file.sync_all()?;
    step();
    Ok(())
}

/// Renames unless something is there; `false`: something is.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    step();
    let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // File systems that cannot (NFS among them) have links, which never replace anything either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => link_new(from, to),
        Err(error) => Err(error.into()),
    };
    step();
    renamed
}

fn link_new(from: &Path, to: &Path) -> io::Result<bool> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames over whatever is there.
pub(crate) fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    step();
    std::fs::rename(from, to)?;
    step();
    Ok(())
}

/// Removes a file; `false`: there was none.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    step();
    let removed = match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    step();
    removed
}

/// Removes a folder that is empty; one that is not stays.
pub(crate) fn remove_empty(path: &Path) -> io::Result<()> {
    step();
    let _ = std::fs::remove_dir(path);
    step();
    Ok(())
}

/// Has renames and removals in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    step();
    File::open(folder)?.sync_all()?;
    step();
    Ok(())
}

/// The same for the folder a file is in.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Claims a file for as long as it is open; `false`: somebody else has it. The kernel ends the claim of whoever dies.
pub(crate) fn claim(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "marker";

    fn mark(root: &Path) {
        std::fs::write(root.join(MARKER), "").expect("written");
    }

    /// A folder that somebody put something else in the place of, and a place elsewhere that is none of theirs.
    fn check(replace: impl FnOnce(&Path, &Path)) {
        let world = tempfile::tempdir().expect("a folder");
        let (root, elsewhere) = (world.path().join("repository"), world.path().join("elsewhere"));
        std::fs::create_dir_all(root.join("shop/0001")).expect("made");
        std::fs::create_dir(&elsewhere).expect("made");
        mark(&root);
        replace(&root.join("shop/0001/backups"), &elsewhere);
        let before = std::fs::metadata(&elsewhere).expect("there");
        let (user, group) = (before.uid(), before.gid());
        // Whoever runs this as root gives to another; anybody else could give nothing away.
        let owner = if rustix::process::geteuid().is_root() { (4711, 4711) } else { (user, group) };
        make_folders(&root, &root.join("shop/0001/backups/daily"), MARKER, Some(owner))
            .expect_err("a link is no folder");
        make_folders(&root, &root.join("shop/0001/backups"), MARKER, Some(owner)).expect_err("a link is no folder");
        let after = std::fs::metadata(&elsewhere).expect("there");
        assert_eq!((after.uid(), after.gid()), (user, group));
        assert_eq!(std::fs::read_dir(&elsewhere).expect("a folder").count(), 0);
    }

    #[test]
    fn a_link_to_a_folder_is_not_followed() {
        check(|place, elsewhere| std::os::unix::fs::symlink(elsewhere, place).expect("linked"));
    }

    #[test]
    fn a_link_to_a_file_is_not_given_away() {
        check(|place, elsewhere| {
            let file = elsewhere.with_extension("shadow");
            std::fs::write(&file, "secret").expect("written");
            std::os::unix::fs::symlink(&file, place).expect("linked");
        });
        let world = tempfile::tempdir().expect("a folder");
        let (root, file) = (world.path().join("repository"), world.path().join("shadow"));
        std::fs::create_dir(&root).expect("made");
        mark(&root);
        std::fs::write(&file, "secret").expect("written");
        std::os::unix::fs::symlink(&file, root.join("shop")).expect("linked");
        let before = std::fs::metadata(&file).expect("there").uid();
        let owner = if rustix::process::geteuid().is_root() { (4711, 4711) } else { (before, before) };
        make_folders(&root, &root.join("shop"), MARKER, Some(owner)).expect_err("a link is no folder");
        assert_eq!(std::fs::metadata(&file).expect("there").uid(), before);
    }

    #[test]
    fn nothing_is_made_on_the_mount_point_of_a_disk_that_is_away() {
        let world = tempfile::tempdir().expect("a folder");
        let refused = make_folders(world.path(), &world.path().join("shop/0001"), MARKER, None).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
        assert_eq!(std::fs::read_dir(world.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn folders_are_made_and_given_away() {
        let world = tempfile::tempdir().expect("a folder");
        mark(world.path());
        let folder = world.path().join("shop/0001");
        let owner = rustix::process::geteuid().is_root().then_some((4711, 4711));
        for _ in 0..2 {
            make_folders(world.path(), &folder, MARKER, owner).expect("made");
            let made = std::fs::metadata(&folder).expect("there");
            assert!(owner.is_none_or(|owner| owner == (made.uid(), made.gid())));
        }
    }
}
