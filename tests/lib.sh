# What the scripts of this repository share: where builds go, how they speak, how packages are installed. Sourced.
# shellcheck shell=bash
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/slimgpt/target}"

step() { printf '\n== %s (after %d s)\n' "$1" "$SECONDS"; }
fail() { printf '\n%s: %s\n' "$0" "$1" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME...: on Debian and its relatives; elsewhere says what to install.
install_packages() {
    command -v apt-get > /dev/null || fail "please install $* with this system's package manager"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

# has_target NAME: whether the toolchain has the standard library of a target.
has_target() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/$1/lib/libstd-*.rlib" > /dev/null
}

# linted COMMAND...: clippy-driver compiles as rustc does and lints meanwhile. As the compiler of our own packages it makes
# what the tests run and checks it in one go; `cargo clippy` would check all dependencies a second time, and us twice.
linted() {
    local driver
    driver="$(rustc --print sysroot)/bin/clippy-driver"
    [ -x "$driver" ] || rustup component add clippy || fail "clippy is missing and rustup could not add it"
    RUSTC_WORKSPACE_WRAPPER="$driver" CLIPPY_ARGS="-Dwarnings__CLIPPY_HACKERY__" "$@"
}
