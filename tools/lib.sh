# tools/lib.sh: what demo, check and the upstream runner share; sourced by bash scripts.
#
# Why:    nothing here touches the machine's own PostgreSQL: the module goes into a private copy of the
#         installed server (PostgreSQL finds its files relative to its programs), clusters live in a temporary
#         folder and listen on a socket there only.
# SPDX-License-Identifier: PostgreSQL
set -u -o pipefail

GH_ROOT=${GH_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
GH_ROOT=${GH_ROOT%/}
GH_JOBS=${GH_JOBS:-$(nproc)}
export GH_ROOT

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'; else bold='' dim='' red='' green='' plain=''; fi
say() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$*"; }
die() {
    printf '%s%s%s\n' "$red" "$*" "$plain" >&2
    exit 2
}

# quiet LOG WHAT COMMAND...: runs with output to LOG, a line that grows by a dot every other second, and the
# log's end on failure.
quiet() {
    local log=$1 what=$2 t=$SECONDS rc ticker
    shift 2
    printf '   %s ' "$what"
    (while sleep 2; do printf .; done) &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null
    rc=$?
    kill "$ticker" 2>/dev/null
    wait "$ticker" 2>/dev/null
    if [ $rc = 0 ]; then
        echo " $((SECONDS - t)) s"
    else
        echo " ${red}failed$plain after $((SECONDS - t)) s ($log)"
        tail -n 40 "$log" | sed 's/^/     /'
    fi
    return $rc
}

# ------------------------------------------------------------------------------------- who runs what
# PostgreSQL refuses to run as root: servers belong to an ordinary user, whose folders must be reachable.
server_user() {
    if [ "$(id -u)" != 0 ]; then
        id -un
    elif [ -n "${GH_USER:-}" ]; then
        echo "$GH_USER"
    elif getent passwd postgres >/dev/null; then
        echo postgres
    else
        die "no user postgres to run the server (make deps installs PostgreSQL)"
    fi
}

# as_server COMMAND...: as the server's user, in a folder that user can read.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd "$GH_WORK" && exec runuser -u "$(server_user)" -- env HOME="$GH_WORK" "$@")
    else
        (cd "$GH_WORK" && exec "$@")
    fi
}

# Settings of the caller must not leak into the tests.
clean_environment() {
    unset PGDATA PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGHOSTADDR PGHOST PGPORT LANGUAGE LC_ALL \
        MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES
    export LANG=C.UTF-8 TZ=UTC PGCONNECT_TIMEOUT=60
}

# work_folder NAME: a temporary folder for this run (GH_WORK), owned by the server's user.
work_folder() {
    GH_WORK=$(mktemp -d "${TMPDIR:-/tmp}/glassheap-$1.XXXXXX") || die "cannot make a temporary folder"
    chmod 755 "$GH_WORK"
    [ "$(id -u)" != 0 ] || chown "$(server_user)" "$GH_WORK"
    export GH_WORK
}

# ------------------------------------------------------------------------------------ build and install
pg_config_program() {
    local program=${PG_CONFIG:-}
    [ -n "$program" ] || program=$(command -v pg_config || true)
    [ -x /usr/lib/postgresql/15/bin/pg_config ] && [ -z "$program" ] && program=/usr/lib/postgresql/15/bin/pg_config
    case $("${program:-false}" --version 2>/dev/null) in
        'PostgreSQL 15.'*) echo "$program" ;;
        *)  # pg_config of another major version comes first in the path
            [ -x /usr/lib/postgresql/15/bin/pg_config ] || die "no pg_config of PostgreSQL 15; make deps, or set PG_CONFIG"
            echo /usr/lib/postgresql/15/bin/pg_config
            ;;
    esac
}

# server_copy FOLDER: the installed server of pg_config, copied so that its programs find their libraries and
# extensions below FOLDER.  Only the programs are copies; the rest is links.  Sets GH_BIN and PG_CONFIG.
server_copy() {
    local to=$1 config bin lib share
    config=$(pg_config_program) || exit 2
    bin=$("$config" --bindir) lib=$("$config" --pkglibdir) share=$("$config" --sharedir)
    case $lib in "$(dirname "$bin")"/*) ;; *) die "cannot copy a server whose libraries are not beside its programs: $lib" ;; esac
    local base=${bin%/lib/postgresql/*}
    mkdir -p "$to$bin" "$to$lib" "$to$share"
    cp -L "$bin"/* "$to$bin/"
    cp -rs "$lib/." "$to$lib/"
    rm -rf "$to$lib/bitcode"
    cp -rs "$share/." "$to$share/"
    rm -f "$to$lib"/glassheap* "$to$share"/extension/glassheap*
    # Headers and PGXS are looked for relative to pg_config as well.
    local f
    for f in "$("$config" --includedir)" "$("$config" --libdir)"; do
        case $f in "$base"/*) mkdir -p "$to$(dirname "$f")" && ln -sfn "$(realpath "$f")" "$to$f" ;; esac
    done
    GH_BIN=$to$bin PG_CONFIG=$to$bin/pg_config
    [ -r "$("$PG_CONFIG" --pgxs)" ] || die "the copy of the server in $to has no PGXS: postgresql-server-dev-15 missing?"
    chmod -R a+rX "$to" 2>/dev/null
    export GH_BIN PG_CONFIG
}

# build_module FLAVOUR CHECKS: compiles in build/FLAVOUR (objects are kept for the next time).
build_module() {
    local dir=$GH_ROOT/build/$1
    mkdir -p "$dir" && make -s -C "$dir" -f "$GH_ROOT/Makefile" -j "$GH_JOBS" PG_CONFIG="$PG_CONFIG" GH_CHECKS="$2" \
        ${CXX:+CXX="$CXX"} all
}
install_module() {
    make -s -C "$GH_ROOT/build/$1" -f "$GH_ROOT/Makefile" PG_CONFIG="$PG_CONFIG" GH_CHECKS="$2" ${CXX:+CXX="$CXX"} install &&
        chmod -R a+rX "$("$PG_CONFIG" --pkglibdir)/glassheap.so" "$("$PG_CONFIG" --sharedir)/extension"
}

# ---------------------------------------------------------------------------------------------- clusters
# new_cluster FOLDER [LINE]...: initdb with checksums; the lines are added to postgresql.conf.
new_cluster() {
    local data=$1
    shift
    as_server "$GH_BIN/initdb" -k -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N -D "$data" || return
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$GH_WORK'"
        echo "shared_preload_libraries = 'glassheap'"
        printf '%s\n' "$@"
    } | as_server tee -a "$data/postgresql.conf" >/dev/null
}
start_cluster() {
    as_server "$GH_BIN/pg_ctl" -D "$1" -l "$1.log" -w -t "${2:-120}" start || { tail -n 20 "$1.log"; return 1; }
}
stop_cluster() { as_server "$GH_BIN/pg_ctl" -D "$1" -m "${2:-fast}" -w -t 120 stop; }
