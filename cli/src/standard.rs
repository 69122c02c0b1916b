//! Standard input and output as streams of bytes, without the buffers that the library's have for lines.

use std::io::{self, Read, Write};

/// Standard input.
#[cfg(unix)]
pub(crate) fn input() -> impl Read + Send + 'static {
    use std::os::fd::AsFd as _;
    Standard(io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from))
}

/// Standard output.
#[cfg(unix)]
pub(crate) fn output() -> impl Write + Send + 'static {
    use std::os::fd::AsFd as _;
    Standard(io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from))
}

/// Standard input.
#[cfg(not(unix))]
pub(crate) fn input() -> impl Read + Send + 'static {
    io::stdin()
}

/// Standard output.
#[cfg(not(unix))]
pub(crate) fn output() -> impl Write + Send + 'static {
    io::stdout()
}

/// A stream, or why there is none, which its first use tells.
#[cfg(unix)]
struct Standard(io::Result<std::fs::File>);

#[cfg(unix)]
impl Standard {
    fn file(&self) -> io::Result<&std::fs::File> {
        self.0.as_ref().map_err(|error| error.kind().into())
    }
}

#[cfg(unix)]
impl Read for Standard {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(buf)
    }
}

#[cfg(unix)]
impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
