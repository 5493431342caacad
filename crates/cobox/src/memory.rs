//! Memory that is given back: how the C library's allocator shall behave in a program that runs for weeks.

/// Threads share two heaps, and free memory at a heap's end goes back to the system early. Larger pieces than a few blocks
/// are mapped by themselves. Seen in single runs on a busy machine: a quarter less at rest with 20 000 files, half the peak while
/// 512 MiB are received.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub fn give_back() {
    const GIVE_BACK_ABOVE: libc::c_int = 64 << 10;
    const MAP_ABOVE: libc::c_int = 256 << 10;
    // SAFETY: the C library offers no safe call; mallopt only stores these numbers, and it is called
    // at the start of `main`, before there is a second thread. A refused setting changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIVE_BACK_ABOVE);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_ABOVE);
    }
}

/// Other allocators decide for themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
