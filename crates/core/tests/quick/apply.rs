//! `apply` with an installer that fails where it is told to, and crashes at each step.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use async_trait::async_trait;
use seaworthy_core::{
    Applied, Cancel, Change, Context, Error, ErrorKind, FileSet, Generations, Installer, Origin,
    RenderedFile, Result, StagedFiles, apply,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Check,
    Activate,
    Prove,
}

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It fails.
    Fails(Step),
    /// It never ends, and the caller goes away: as a crash, but within this process.
    Hangs(Step),
    /// The caller cancels.
    Cancels(Step),
    /// The first activation fails, and the one of the rollback, too.
    NeverActivates,
}

/// A program that reads the live files when it is activated.
#[derive(Debug)]
struct Program {
    link: PathBuf,
    trouble: Option<Trouble>,
    cancel: Cancel,
    /// What it works with.
    works_with: Mutex<Option<String>>,
    steps: Mutex<Vec<Step>>,
}

impl Program {
    fn new(place: &Generations, trouble: Option<Trouble>) -> Self {
        Self {
            link: place.link(),
            trouble,
            cancel: Cancel::new(),
            works_with: Mutex::default(),
            steps: Mutex::default(),
        }
    }

    async fn step(&self, step: Step) -> Result<()> {
        self.steps.lock().unwrap().push(step);
        let first = self.steps.lock().unwrap().iter().filter(|s| **s == step).count() == 1;
        match self.trouble {
            Some(Trouble::Fails(at)) if at == step && first => {}
            Some(Trouble::NeverActivates) if step == Step::Activate => {}
            Some(Trouble::Hangs(at)) if at == step => std::future::pending().await,
            Some(Trouble::Cancels(at)) if at == step => {
                self.cancel.trigger();
                return Ok(());
            }
            _ => return Ok(()),
        }
        Err(Error::new(ErrorKind::Command, "test", format!("{step:?} failed")))
    }

    fn sees(&self) -> Option<String> {
        self.works_with.lock().unwrap().clone()
    }
}

#[async_trait]
impl Installer for Program {
    async fn check(&self, staged: &StagedFiles, _: &Context) -> Result<()> {
        // What is checked is not live yet.
        assert_ne!(fs::canonicalize(&self.link).ok().as_ref(), Some(&staged.folder));
        assert!(staged.folder.join("conf/a.conf").exists());
        self.step(Step::Check).await
    }

    async fn activate(&self, staged: &StagedFiles, _: &Context) -> Result<()> {
        let live = fs::read_to_string(self.link.join("conf/a.conf")).ok();
        assert_eq!(live.is_none(), staged.files.is_empty());
        *self.works_with.lock().unwrap() = live;
        self.step(Step::Activate).await
    }

    async fn prove(&self, _: &StagedFiles, _: &Context) -> Result<()> {
        self.step(Step::Prove).await
    }
}

fn files(text: &str) -> FileSet {
    let mut files = FileSet::new();
    let file = |text: &str| RenderedFile::new(text, Origin::new("site.a"));
    files.insert("conf/a.conf", file(text)).unwrap();
    files.insert("conf/same.conf", file("same").with_mode(0o600)).unwrap();
    files
}

struct Lab {
    _folder: tempfile::TempDir,
    place: Generations,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(folder.path()).unwrap().join("etc/seaworthy");
        Self { _folder: folder, place: Generations::new(base) }
    }

    async fn run(&self, text: &str, trouble: Option<Trouble>) -> (Program, Result<Applied>) {
        let program = Program::new(&self.place, trouble);
        let cx = Context::new().with_cancel(program.cancel.clone());
        let result = apply(&self.place, files(text), &program, &cx).await;
        (program, result)
    }

    async fn good(&self, text: &str) {
        assert_eq!(self.run(text, None).await.1.unwrap(), Applied::Changed);
    }

    fn live(&self) -> Option<String> {
        fs::read_to_string(self.place.link().join("conf/a.conf")).ok()
    }

    /// How many generations lie there.
    fn generations(&self) -> usize {
        let entries = fs::read_dir(self.place.base()).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).count()
    }
}

#[tokio::test]
async fn files_go_live_once_and_the_last_good_ones_are_kept() {
    let lab = Lab::new();
    let (program, result) = lab.run("one", None).await;
    assert_eq!(result.unwrap(), Applied::Changed);
    assert_eq!(*program.steps.lock().unwrap(), [Step::Check, Step::Activate, Step::Prove]);
    assert_eq!(program.sees().as_deref(), Some("one"));
    let (program, result) = lab.run("one", None).await;
    assert_eq!(result.unwrap(), Applied::Unchanged);
    assert!(program.steps.lock().unwrap().is_empty());
    for (text, kept) in [("two", 2), ("three", 2), ("four", 2)] {
        lab.good(text).await;
        assert_eq!((lab.live().as_deref(), lab.generations()), (Some(text), kept));
    }
    use std::os::unix::fs::PermissionsExt;
    let secret = fs::metadata(lab.place.link().join("conf/same.conf")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn each_failing_step_leaves_the_last_good_files_at_work() {
    for before in [None, Some("old")] {
        for step in [Step::Check, Step::Activate, Step::Prove] {
            for trouble in [Trouble::Fails(step), Trouble::Cancels(step)] {
                // The last step is over when it cancels: the files are proved.
                if trouble == Trouble::Cancels(Step::Prove) {
                    continue;
                }
                let lab = Lab::new();
                if let Some(text) = before {
                    lab.good(text).await;
                }
                let (program, result) = lab.run("new", Some(trouble)).await;
                let error = result.unwrap_err();
                let kind = match trouble {
                    Trouble::Cancels(_) => ErrorKind::Cancelled,
                    _ => ErrorKind::Command,
                };
                assert_eq!(error.kind(), kind, "{trouble:?}");
                assert_eq!(lab.live().as_deref(), before, "{trouble:?}");
                if step != Step::Check {
                    assert_eq!(program.sees().as_deref(), before, "{trouble:?}");
                    assert!(error.context().any(|(name, _)| name == "rolled back to"));
                }
                lab.good("new").await;
            }
        }
    }
}

#[tokio::test]
async fn a_way_back_that_fails_is_said() {
    let lab = Lab::new();
    lab.good("old").await;
    let error = lab.run("new", Some(Trouble::NeverActivates)).await.1.unwrap_err();
    assert!(error.to_string().contains("the rollback failed"), "{error}");
    assert!(error.remedy().is_some());
    assert_eq!(lab.live().as_deref(), Some("old"));
}

#[tokio::test]
async fn after_a_crash_at_any_step_whole_files_are_live_and_the_next_call_heals() {
    for before in [None, Some("old")] {
        for step in [Step::Check, Step::Activate, Step::Prove] {
            for next in ["new", "other"] {
                let lab = Lab::new();
                if let Some(text) = before {
                    lab.good(text).await;
                }
                let program = Program::new(&lab.place, Some(Trouble::Hangs(step)));
                let cx = Context::new();
                {
                    let mut work = std::pin::pin!(apply(&lab.place, files("new"), &program, &cx));
                    // Everything up to the hanging step is done in one go.
                    let waker = std::task::Waker::noop();
                    let polled = work.as_mut().poll(&mut std::task::Context::from_waker(waker));
                    assert!(polled.is_pending());
                }
                let live = lab.live();
                let whole = [before, Some("new")].contains(&live.as_deref());
                assert!(whole, "{live:?} after a crash at {step:?}");
                // Unproved files are proved now, even if they are the same.
                let (program, result) = lab.run(next, None).await;
                assert_eq!(result.unwrap(), Applied::Changed, "{step:?}");
                assert!(program.steps.lock().unwrap().contains(&Step::Prove));
                assert_eq!(lab.live().as_deref(), Some(next));
                assert!(lab.generations() <= 2, "litter is left");
            }
        }
    }
}

#[tokio::test]
async fn after_a_crash_a_failure_goes_back_to_what_was_proved() {
    let lab = Lab::new();
    lab.good("old").await;
    let program = Program::new(&lab.place, Some(Trouble::Hangs(Step::Prove)));
    let cx = Context::new();
    {
        let mut work = std::pin::pin!(apply(&lab.place, files("new"), &program, &cx));
        let waker = std::task::Waker::noop();
        assert!(work.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    assert_eq!(lab.live().as_deref(), Some("new"));
    lab.run("newer", Some(Trouble::Fails(Step::Prove))).await.1.unwrap_err();
    assert_eq!(lab.live().as_deref(), Some("old"));
}

#[tokio::test]
async fn what_a_crash_leaves_half_written_is_tidied_up() {
    let lab = Lab::new();
    lab.good("old").await;
    let base = lab.place.base();
    let half = base.join("20260101T000000Z-abcdef");
    fs::create_dir_all(half.join("conf")).unwrap();
    fs::write(half.join("conf/a.conf"), "ha").unwrap();
    std::os::unix::fs::symlink("20260101T000000Z-abcdef", base.join(".current.new")).unwrap();
    fs::write(base.join("notes.txt"), "somebody's").unwrap();
    lab.good("new").await;
    assert!(!half.exists());
    assert_eq!(lab.live().as_deref(), Some("new"));
    // What is not ours stays.
    assert!(base.join("notes.txt").exists());
    assert!(!base.join(".current.new").is_symlink());
}

#[tokio::test]
async fn two_at_once_do_not_mix() {
    let lab = Lab::new();
    let program = Program::new(&lab.place, Some(Trouble::Hangs(Step::Prove)));
    let cx = Context::new();
    let mut first = std::pin::pin!(apply(&lab.place, files("one"), &program, &cx));
    let waker = std::task::Waker::noop();
    assert!(first.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    assert_eq!(lab.run("two", None).await.1.unwrap_err().kind(), ErrorKind::Locked);
}

#[tokio::test]
async fn hand_edits_are_found_and_replaced() {
    let lab = Lab::new();
    lab.good("one").await;
    assert!(lab.place.drift().unwrap().is_empty());
    fs::write(lab.place.link().join("conf/a.conf"), "edited").unwrap();
    fs::write(lab.place.link().join("conf/more.conf"), "more").unwrap();
    fs::remove_file(lab.place.link().join("conf/same.conf")).unwrap();
    let drift = lab.place.drift().unwrap();
    assert_eq!(
        drift,
        [
            ("conf/a.conf".to_owned(), Change::Changed),
            ("conf/more.conf".to_owned(), Change::Added),
            ("conf/same.conf".to_owned(), Change::Removed),
        ]
    );
    lab.good("one").await;
    assert!(lab.place.drift().unwrap().is_empty());
    // The edits are still in the previous folder.
    assert_eq!(lab.generations(), 2);
}

#[tokio::test]
async fn what_is_not_ours_is_never_replaced() {
    let refused = |make: fn(&Path)| async move {
        let lab = Lab::new();
        fs::create_dir_all(lab.place.base()).unwrap();
        make(lab.place.base());
        let before = seen(lab.place.base());
        let error = lab.run("one", None).await.1.unwrap_err();
        let kinds = [ErrorKind::NotEmpty, ErrorKind::AlreadyExists];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(error.remedy().is_some());
        assert_eq!(seen(lab.place.base()), before);
    };
    refused(|base| fs::write(base.join("site.conf"), "mine").unwrap()).await;
    refused(|base| fs::create_dir(base.join("current")).unwrap()).await;
    refused(|base| {
        fs::write(base.join(".seaworthy"), "").unwrap();
        fs::write(base.join("current"), "mine").unwrap();
    })
    .await;
    refused(|base| {
        fs::write(base.join(".seaworthy"), "").unwrap();
        std::os::unix::fs::symlink("/etc", base.join("current")).unwrap();
    })
    .await;
}

fn seen(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path());
    let mut seen: Vec<_> = entries.filter(|path| !path.ends_with(".lock")).collect();
    seen.sort();
    seen
}
