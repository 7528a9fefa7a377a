#!/bin/sh
# Installs what `make` needs on Debian, and only what is missing. Usage: boot/setup.sh [bench|image|lint|linux DIRECTORY]
# Which compiler builds the bare-metal code is decided in boot/src/toolchain.rs, not here.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = linux ]; then # Debian's kernel for virtual machines, unpacked into a directory; nothing is installed.
    cd "$2"
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    [ -n "$package" ] || { echo "setup: no linux-image-cloud-amd64 here; name a vmlinuz" >&2; exit 1; }
    apt-get download -qq "$package" >&2
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x ./boot
    rm -f "$package"_*.deb
    exit 0
fi

missing=""
need() { # need COMMAND-OR-FILE PACKAGE...
    case $1 in
    /*) [ ! -e "$1" ] || return 0 ;;
    *) ! command -v "$1" >/dev/null || return 0 ;;
    esac
    shift
    missing="$missing $*"
}
debian_rust_is_new_enough() {
    [ -x /usr/bin/cargo ] && printf '1.95\n%s\n' "$(/usr/bin/cargo --version | cut -d' ' -f2)" | sort -CV
}

need qemu-system-x86_64 qemu-system-x86
need gcc gcc libc6-dev
need /bin/busybox busybox-static
need cargo cargo-web rustc-web
need /etc/ssl/certs/ca-certificates.crt ca-certificates

# The library for the bare-metal target comes with rustup (which downloads it here, where it may).
# Without it Debian's compiler, which brings the library's source, serves.
library=""
if command -v rustc >/dev/null; then
    library=$(rustc --print target-libdir --target x86_64-unknown-none || true)
fi
if [ ! -d "$library" ]; then
    debian_rust_is_new_enough || need /none cargo-web rustc-web rust-web-src
    need /usr/lib/rustlib/src/rust/library/core rust-web-src
    need ld.lld lld
fi
case ${1:-} in
bench)
    need valgrind valgrind
    ;;
image)
    need lld-link lld
    need /usr/share/ovmf/OVMF.fd ovmf
    ;;
lint)
    need cargo-clippy rust-web-clippy
    need cargo-fmt rustfmt-web
    ;;
esac

[ -n "$missing" ] || exit 0
packages=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
echo "setup: installing ${packages% }" >&2
as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "setup: neither root nor sudo; install them by hand" >&2; exit 1; }
    as_root=sudo
fi
command -v apt-get >/dev/null || { echo "setup: no apt-get here; install them by hand" >&2; exit 1; }
$as_root apt-get update -qq >&2 || true
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >/dev/null
