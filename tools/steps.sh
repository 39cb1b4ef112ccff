# shellcheck shell=bash disable=SC2034
# Shared by tools/quickstart, tools/test and .ci/run; sourced, not run. Everything it says goes to stderr.
# Sets: root (the checkout), jobs (how many compilers run at once).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}

# A compiler takes up to a gigabyte and a half: no more of them than fit into memory.
jobs=$(awk -v cores="$(nproc)" '/^MemAvailable/ { fit = int($2 / 1500000); print (fit < 1) ? 1 : (fit < cores) ? fit : cores }' /proc/meminfo)

if [ -t 2 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '%s\n' "$*" >&2; }

# step WHAT COMMAND...: says what it does, does it, says how long it took. The command's output goes to stderr.
step() {
    local what=$1 start=$SECONDS
    shift
    say "${bold}==> $what${plain}"
    "$@" >&2 || { local code=$?; say "${bold}==> failed after $((SECONDS - start)) s: $what${plain}"; return "$code"; }
    say "    $((SECONDS - start)) s"
}

missing_packages() {
    local package
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# need_packages PACKAGE...: installs what is missing with apt; without a network call if nothing is.
need_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "    no apt here; these Debian packages, or what is like them, must be installed: $*"
        return 0
    fi
    local missing as_root=()
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say "    all there: $*"
        return 0
    fi
    say "    to install: $missing"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "    neither root nor sudo: install them by hand, then call this again"; return 1; }
        as_root=(sudo)
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # shellcheck disable=SC2086 # one word a package
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends $missing </dev/null
}

# What it takes to build the program and to bring a model.
build_packages=(g++ cmake ninja-build libeigen3-dev libxsimd-dev nlohmann-json3-dev libcli11-dev libpng-dev python3 python3-pip ca-certificates)
# What the tests need on top: the test framework, the benchmark library.
test_packages=(catch2 libbenchmark-dev)

# configure FOLDER OPTION...: a build folder keeps the generator that it was made with.
configure() {
    local folder=$1
    shift
    if [ ! -f "$folder/CMakeCache.txt" ]; then
        set -- -G Ninja "$@"
    fi
    cmake -S "$root" -B "$folder" "$@"
}

build() {
    local folder=$1
    shift
    cmake --build "$folder" --parallel "$jobs" "$@"
}
