//! How both ends treat a connection, so that a slow one lives and a dead one is noticed.
//!
//! A ping waits behind everything that was written before it. On a slow link megabytes in a
//! socket's buffer would keep it back until its sender counts as dead, so little may wait there
//! unsent, and an answer has a minute. What notices a dead peer sooner is the kernel, which sees
//! every byte that the other side confirms.

use std::io;
use std::time::Duration;

use socket2::SockRef;

/// A connection on which nothing came for so long is asked for a sign of life.
pub const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long that sign is waited for: at 1 KiB/s what may be unsent ([`UNSENT`]) is gone by then.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection on which sent bytes are not confirmed for so long is dead. On a crowded slow link a
/// connection may lose every packet for half a minute, with growing waits between them, while
/// others get theirs through.
pub const UNCONFIRMED: Duration = Duration::from_secs(60);

/// Bytes that may wait in the socket without being sent. Enough to keep a fast link busy, since
/// what is on its way does not count.
pub const UNSENT: u32 = 48 << 10;

/// Prepares a connected TCP socket at either end.
///
/// # Errors
/// What the operating system says.
pub fn tune<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    }
    Ok(())
}
