//! Where the bytes are.
//!
//! `incoming/` has uploads on their way, which nobody is served; `kept/ab/ID/` has the variants of one, a file each, and
//! appears with all of them at once. Names are our own: no name of a client's ever comes near a path.

use super::{Flaw, Format, Settings, format::TELLING, picture, video};
use communiconnect_protocol::{Code, ErrorBody, Media, MediaId, MediaKind, MediaPurpose, MediaStatus};
use rand::Rng;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::AsyncWriteExt,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Variants that every picture has an address of: those that were not made are its original.
const VARIANTS: [&str; 4] = ["original", "large", "medium", "thumb"];

/// Files in `incoming/` and folders without a row are left over once they are this old. No upload takes so long, and a row
/// follows its folder within seconds.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the folder of media {}: {why}; this user must be able to write there, or set media.url to another (file:///folder)", .path.display())]
pub struct LibraryError {
    path: PathBuf,
    why: io::Error,
}

/// All files, and who may work on them at once. Clones share it.
#[derive(Clone)]
pub struct Library {
    settings: Arc<Settings>,
    uploads: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

/// One upload on its way. Dropped, what came of it is gone.
pub struct Incoming {
    path: PathBuf,
    file: tokio::fs::File,
    head: Vec<u8>,
    format: Option<Format>,
    bytes: u64,
    most: u64,
    settings: Arc<Settings>,
    _slot: OwnedSemaphorePermit,
}

/// A variant that can be read.
pub struct Stored {
    /// Open at its beginning.
    pub file: tokio::fs::File,
    /// How long it is.
    pub bytes: u64,
    /// Its media type.
    pub media_type: &'static str,
}

impl Library {
    /// Makes the folders where they are missing.
    ///
    /// # Errors
    /// Where they cannot be made.
    pub fn open(settings: Settings) -> Result<Self, LibraryError> {
        for name in ["incoming", "kept"] {
            let path = settings.folder.join(name);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|why| LibraryError { path, why })?;
        }
        let (uploads, workers) = (settings.uploads, settings.workers);
        Ok(Self {
            settings: Arc::new(settings),
            uploads: Arc::new(Semaphore::new(uploads)),
            workers: Arc::new(Semaphore::new(workers)),
        })
    }

    /// The settings it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// `unavailable` where as many are on their way as may be, or the disk refuses.
    pub async fn receive(&self) -> Result<Incoming, ErrorBody> {
        let slot = self.uploads.clone().try_acquire_owned().map_err(|_| {
            ErrorBody::new(Code::Unavailable, "too many uploads at once: try again soon").retry_after(1_000)
        })?;
        let path =
            self.settings.folder.join("incoming").join(format!("{:032x}", rand::rng().random::<u128>()));
        let file = tokio::fs::File::create_new(&path).await.map_err(|error| disk(&error))?;
        let settings = self.settings.clone();
        let most = settings.most_bytes();
        Ok(Incoming { path, file, head: Vec::new(), format: None, bytes: 0, most, settings, _slot: slot })
    }

    /// Checks an upload that is complete and keeps it under a new id; who may find it is noted by the caller. When this
    /// answers, it is on disk.
    ///
    /// # Errors
    /// What is wrong with it, or `unavailable` where the disk refuses.
    pub async fn keep(
        &self,
        mut incoming: Incoming,
        purpose: MediaPurpose,
        at: i64,
    ) -> Result<Media, ErrorBody> {
        if incoming.bytes == 0 {
            return Err(Flaw::Empty.into());
        }
        let format = incoming.settle()?;
        if purpose == MediaPurpose::Profile {
            let most = self.settings.photo_bytes;
            if format.is_video() {
                return Err(Flaw::NoPhoto.into());
            }
            if incoming.bytes > most {
                return Err(Flaw::TooLarge { most }.into());
            }
        }
        incoming.file.flush().await.map_err(|error| disk(&error))?;
        let worker = self.workers.clone().acquire_owned().await;
        let settings = self.settings.clone();
        let id = MediaId::new(at);
        let work = move || {
            let _worker = worker;
            if format.is_video() {
                return keep_video(&settings, &incoming, format, id);
            }
            let file = fs::read(&incoming.path).map_err(|error| disk(&error))?;
            let picture = picture::make(format, &file, settings.decoded_bytes)?;
            drop(file);
            write(&settings.folder, id, &picture.variants).map_err(|error| disk(&error))?;
            let original = &picture.variants[0];
            Ok(Media {
                id,
                kind: MediaKind::Image,
                status: MediaStatus::Ready,
                reason: None,
                media_type: original.media_type.into(),
                bytes: original.bytes.len() as u64,
                width: picture.width,
                height: picture.height,
                duration_ms: None,
                thumbhash: Some(picture.thumbhash),
                alt: None,
                urls: urls(id, &VARIANTS),
            })
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err(Flaw::Broken.into()))
    }

    /// A variant; none where there is no such one. Those that were not made are the original.
    ///
    /// # Errors
    /// `unavailable` where the disk refuses.
    pub async fn stored(&self, id: MediaId, variant: &str) -> Result<Option<Stored>, ErrorBody> {
        let Some(name) = VARIANTS.into_iter().find(|known| *known == variant) else { return Ok(None) };
        let folder = folder_of(&self.settings.folder, id);
        for name in [name, "original"] {
            let file = match tokio::fs::File::open(folder.join(name)).await {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(disk(&error)),
            };
            let bytes = file.metadata().await.map_err(|error| disk(&error))?.len();
            let mut stored = Stored { file, bytes, media_type: "application/octet-stream" };
            stored.look().await.map_err(|error| disk(&error))?;
            return Ok(Some(stored));
        }
        Ok(None)
    }

    /// Removes the bytes of one that nobody is served any more.
    pub async fn discard(&self, id: MediaId) {
        // What cannot be removed now is swept later.
        let _ = tokio::fs::remove_dir_all(folder_of(&self.settings.folder, id)).await;
    }

    /// Removes uploads that broke off long ago, and answers the ids of whatever is kept for long enough to have a row, in
    /// one of 256 drawers.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub async fn sweep(&self, drawer: u8) -> io::Result<Vec<MediaId>> {
        let folder = self.settings.folder.clone();
        let swept = tokio::task::spawn_blocking(move || {
            for entry in fs::read_dir(folder.join("incoming"))? {
                let entry = entry?;
                if is_old(&entry) {
                    let path = entry.path();
                    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                }
            }
            let shelf = match fs::read_dir(folder.join("kept").join(format!("{drawer:02x}"))) {
                Ok(shelf) => shelf,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            let mut ids = Vec::new();
            for entry in shelf {
                let entry = entry?;
                if is_old(&entry) {
                    ids.extend(entry.file_name().to_str().and_then(|name| name.parse::<MediaId>().ok()));
                }
            }
            Ok(ids)
        });
        swept.await.unwrap_or_else(|_| Ok(Vec::new()))
    }
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// As soon as they show that it is nothing that is taken, or too large; `unavailable` where the disk refuses.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorBody> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.most {
            return Err(Flaw::TooLarge { most: self.most }.into());
        }
        if self.head.len() < TELLING {
            let missing = TELLING - self.head.len();
            self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
            if self.head.len() == TELLING {
                self.settle()?;
            }
        }
        self.file.write_all(bytes).await.map_err(|error| disk(&error))
    }

    fn settle(&mut self) -> Result<Format, ErrorBody> {
        let format = Format::of(&self.head).ok_or(Flaw::Unknown)?;
        self.format = Some(format);
        self.most = self.settings.most_bytes_of(format);
        if self.bytes > self.most {
            return Err(Flaw::TooLarge { most: self.most }.into());
        }
        Ok(format)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // One that cannot be removed is swept later.
        let _ = fs::remove_file(&self.path);
    }
}

impl Stored {
    /// Finds out the type by the first bytes; leaves the file at its beginning.
    async fn look(&mut self) -> io::Result<()> {
        use tokio::io::{AsyncReadExt, AsyncSeekExt};
        let mut head = Vec::with_capacity(TELLING);
        (&mut self.file).take(TELLING as u64).read_to_end(&mut head).await?;
        self.file.rewind().await?;
        if let Some(format) = Format::of(&head) {
            self.media_type = format.media_type();
        }
        Ok(())
    }
}

/// Measures a video where it came in, and moves it to its place: it is too large to be copied for nothing.
fn keep_video(
    settings: &Settings,
    incoming: &Incoming,
    format: Format,
    id: MediaId,
) -> Result<Media, ErrorBody> {
    let opened = fs::File::options().read(true).write(true).open(&incoming.path);
    let mut file = opened.map_err(|error| disk(&error))?;
    let video = video::make(format, &mut file, settings.video_ms)?;
    let kept = (|| {
        file.sync_all()?;
        let beside = settings.folder.join("incoming").join(id.to_string());
        fs::create_dir(&beside)?;
        fs::rename(&incoming.path, beside.join("original"))?;
        place(&settings.folder, id)
    })();
    kept.map_err(|error| disk(&error))?;
    Ok(Media {
        id,
        kind: MediaKind::Video,
        status: MediaStatus::Ready,
        reason: None,
        media_type: format.media_type().into(),
        bytes: incoming.bytes,
        width: video.width,
        height: video.height,
        duration_ms: Some(video.duration_ms),
        thumbhash: None,
        alt: None,
        urls: urls(id, &["original"]),
    })
}

/// Writes all variants beside, syncs them, and moves them to their place in one step.
fn write(folder: &Path, id: MediaId, variants: &[picture::Variant]) -> io::Result<()> {
    let beside = folder.join("incoming").join(id.to_string());
    fs::create_dir(&beside)?;
    let written = (|| {
        for variant in variants {
            let mut file = fs::File::create_new(beside.join(variant.name))?;
            io::Write::write_all(&mut file, &variant.bytes)?;
            file.sync_all()?;
        }
        place(folder, id)
    })();
    if written.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    written
}

/// Moves all that was written beside to its place in one step.
fn place(folder: &Path, id: MediaId) -> io::Result<()> {
    let beside = folder.join("incoming").join(id.to_string());
    let place = folder_of(folder, id);
    let shelf = place.parent().unwrap_or(folder);
    sync(&beside)?;
    if fs::create_dir(shelf).is_ok() {
        sync(&folder.join("kept"))?;
    }
    fs::rename(&beside, &place)?;
    sync(shelf)
}

/// Brings what a folder lists to disk.
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Drawers by the last byte, which is random.
fn folder_of(folder: &Path, id: MediaId) -> PathBuf {
    let [.., drawer] = *id.as_bytes();
    folder.join("kept").join(format!("{drawer:02x}")).join(id.to_string())
}

fn urls(id: MediaId, variants: &[&str]) -> BTreeMap<String, String> {
    variants.iter().map(|name| ((*name).to_owned(), format!("/media/{id}/{name}"))).collect()
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFT_OVER))
}

fn disk(error: &io::Error) -> ErrorBody {
    tracing::error!(%error, "the folder of media cannot be used");
    ErrorBody::new(Code::Unavailable, "files cannot be kept or read at the moment: try again")
        .retry_after(1_000)
}
