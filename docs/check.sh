#!/usr/bin/env bash
# Runs the commands of the documents and compares what they print with what the documents show.
#
#   docs/check.sh [FOLDER of the programs, target/debug by default] [DOCUMENT...]
#
# Each document is run from top to bottom by one shell, in an empty folder that is its HOME. The
# fences of its blocks say what they are:
#
#   sh       commands for that shell. What they start in the background is ended with the document.
#   sql      a Select for `siftd query`
#   toml     a file, named by the first line: `# PATH`, or `# PATH, continued` to append to it
#   output   what the block before it prints, errors included. `…` stands for any text within a
#            line, a line `…` for any number of lines. A block that shows an error of sift or siftd
#            has to fail. All others have to succeed.
#   console  commands that cannot run here; `reasons` below says why
#   text     nothing that a program prints
#   rust     an example that is a doctest of the client library
#
# The ports 7330 and 7331 become free ones. Links between documents are checked, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$(cd "${1:-${CARGO_TARGET_DIR:-target}/debug}" && pwd)
shift || true
documents=("$@")
[ $# -gt 0 ] || documents=(README.md docs/*.md)
readonly block_seconds_max=60

# the first words of blocks that cannot run here, and why
reasons=(
    'cargo install|builds for minutes; CI builds the same programs'
    'cargo run --release|needs a release build; CI runs the same programs from the debug build'
    'sift-bench compare|takes minutes and gigabytes; a small run of it is checked'
    'sift-bench load|takes minutes; a small run of it is checked'
    'sift-bench floors|takes minutes; a test runs it on small data'
    'cargo bench|takes minutes; CI runs each benchmark once'
    'sudo |changes the machine'
    'podman |needs the images of a registry'
)

work=$(mktemp -d)
driver=
finish() {
    if [ -n "$driver" ]; then kill -KILL -- "-$driver" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT
failures=0
fail() { printf '%s\n' "$*" >&2; failures=$((failures + 1)); }

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=
for _ in {1..100}; do
    port=$((21000 + RANDOM % 5000)) # never a number that has 7330 or 7331 in it
    if is_free "$port" && is_free "$((port + 1))"; then break; fi
done

# --- the blocks of a document: FOLDER/NUMBER.kind, the line of each in FOLDER/index, and the ports that
# each names in FOLDER/ports ---
split() { # document, folder
    awk -v folder="$2" -v port="$port" '
        /^```/ && !inside {
            kind = substr($0, 4); inside = 1; count++
            file = sprintf("%s/%04d.%s", folder, count, kind)
            printf "" > file
            printf "%04d %d %s\n", count, NR, kind > (folder "/index")
            next
        }
        /^```/ { inside = 0; close(file); next }
        inside {
            if (kind != "output" && gsub("7330", port)) print count, port > (folder "/ports")
            if (kind != "output" && gsub("7331", port + 1)) print count, port + 1 > (folder "/ports")
            gsub("7330", port)
            gsub("7331", port + 1)
            print > file
        }
        END { if (inside) exit 1 }
    ' "$1"
}

# --- whether a text is what a block shows: exit code 0 if so ---
agree() { # shown, printed
    awk '
        function pattern(line) {
            gsub(/[][\\.^$*+?(){}|]/, "\\\\&", line)
            gsub(/…/, ".*", line)
            return "^" line "$"
        }
        function fits(i, j) {
            for (; i <= shown; i++) {
                if (want[i] == "…") {
                    for (; j <= printed + 1; j++) if (fits(i + 1, j)) return 1
                    return 0
                }
                if (j > printed || got[j] !~ pattern(want[i])) return 0
                j++
            }
            return j == printed + 1
        }
        { sub(/[ \r]+$/, ""); sub(/^(─)+$/, "─") } # the rule below the names may be of any length
        FILENAME == ARGV[1] { want[++shown] = $0; next }
        { got[++printed] = $0 }
        END { exit !fits(1, 1) }
    ' "$1" "$2"
}

# --- the shell of a document, which is told by the file `at` of what it runs ---
write_driver() { # folder
    cat <<'DRIVER'
set -E -o pipefail
trap 'failed=1' ERR
at() { printf '%s %s\n' "$1" "$2" >"$blocks/at"; failed=0; }
# servers that a block starts are up before the next block
up() {
    local tries
    for tries in {1..600}; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        read -rt 0.05 <>"$blocks/never" || true
    done
    echo "nothing listens on port $1"
    tail *.log
    failed=1
}
DRIVER
    printf 'blocks=%q\n' "$1"
    local number line kind path each
    while read -r number line kind; do
        local block=$1/$number.$kind out=$1/$number.out
        case "$kind" in
        sh)
            printf 'at %s %s\n. %q >%q 2>&1 </dev/null\n' "$number" "$line" "$block" "$out"
            if grep -qE '[^&]&$' "$block"; then
                # the ports that the document has named so far
                for each in $(awk -v last="$number" '$1 <= last + 0 { print $2 }' "$1/ports" | sort -u); do
                    printf 'up %s >>%q\n' "$each" "$out"
                done
            fi
            printf 'echo "$failed" >%q\n' "$1/$number.failed"
            ;;
        sql)
            printf 'at %s %s\n' "$number" "$line"
            printf 'siftd query --format table "$(cat %q)" >%q 2>&1 </dev/null\n' "$block" "$out"
            printf 'echo "$failed" >%q\n' "$1/$number.failed"
            ;;
        toml)
            path=$(head -n 1 "$block")
            path=${path#\# }
            printf 'at %s %s\n' "$number" "$line"
            case "$path" in
            *', continued') printf 'cat %q >>%q\n' "$block" "${path%, continued}" ;;
            *) printf 'mkdir -p %q && cat %q >%q\n' "$(dirname "$path")" "$block" "$path" ;;
            esac
            ;;
        esac
    done <"$1/index"
    printf 'at end 0\n'
}

run() { # document
    local document=$1 folder number line kind
    folder=$work/$(tr / _ <<<"$document").blocks
    mkdir -p "$folder" "$folder.home"
    : >"$folder/index" >"$folder/ports"
    split "$document" "$folder" || { fail "$document: the last block does not end"; return; }
    mkfifo "$folder/never"
    write_driver "$folder" >"$folder/driver"

    # a process group of its own, so that what it starts can be ended with it
    set -m
    (cd "$folder.home" && env -u SIFT_SERVER -u SIFT_USER -u SIFT_PASSWORD -u XDG_CONFIG_HOME \
        -u SIFT_LOG -u STATE_DIRECTORY HOME="$folder.home" PATH="$bin:$PATH" LC_ALL=C.UTF-8 \
        bash "$folder/driver") </dev/null &
    driver=$!
    set +m
    local at='' now since=$SECONDS
    while kill -0 "$driver" 2>/dev/null; do
        now=$(cat "$folder/at" 2>/dev/null || true)
        if [ "$now" = 'end 0' ]; then break; fi
        if [ "$now" != "$at" ]; then at=$now since=$SECONDS; fi
        if [ $((SECONDS - since)) -ge "$block_seconds_max" ]; then
            fail "$document:${at#* }: takes longer than $block_seconds_max s"
            break
        fi
        read -rt 0.05 <>"$folder/never" || true
    done
    kill -KILL -- "-$driver" 2>/dev/null || true
    wait "$driver" 2>/dev/null || true
    driver=

    judge "$document" "$folder"
}

# --- what came of it ---
judge() { # document, folder
    local document=$1 folder=$2 number line kind before='' before_line='' shown=0 reason known
    while read -r number line kind; do
        case "$kind" in
        sh | sql)
            shown=$((shown + 1))
            if [ ! -f "$folder/$number.failed" ]; then
                fail "$document:$line: was not run to its end"
                cat "$folder/$number.out" >&2 2>/dev/null || true
                return
            fi
            ;;
        output)
            if [ -z "$before" ]; then fail "$document:$line: output of nothing"; continue; fi
            if ! agree "$folder/$number.output" "$folder/$before.out"; then
                fail "$document:$before_line: prints something else than the document shows"
                diff "$folder/$number.output" "$folder/$before.out" >&2 || true
            fi
            if grep -qE '^siftd?: ' "$folder/$number.output"; then
                [ "$(cat "$folder/$before.failed")" = 1 ] ||
                    fail "$document:$before_line: succeeds, though the document shows an error"
                echo expected >"$folder/$before.failed"
            fi
            ;;
        console)
            known=
            for reason in "${reasons[@]}"; do
                case "$(head -n 1 "$folder/$number.console")" in
                "${reason%%|*}"*) known=yes used+=("$reason") ;;
                esac
            done
            [ -n "$known" ] || fail "$document:$line: a console block without a reason in $0"
            ;;
        toml)
            [[ "$(head -n 1 "$folder/$number.toml")" == '# '* ]] ||
                fail "$document:$line: the first line does not name the file"
            ;;
        rust)
            shown=$((shown + 1)) # run by `cargo test`
            [ "$document" = docs/client.md ] || fail "$document:$line: Rust belongs to docs/client.md"
            ;;
        text) ;;
        *) fail "$document:$line: a block of an unknown kind '$kind'" ;;
        esac
        case "$kind" in
        sh | sql) before=$number before_line=$line ;;
        *) before= ;;
        esac
    done <"$folder/index"
    while read -r number line kind; do
        case "$kind" in
        sh | sql)
            if [ "$(cat "$folder/$number.failed")" = 1 ]; then
                fail "$document:$line: fails"
                cat "$folder/$number.out" >&2
            fi
            ;;
        esac
    done <"$folder/index"
    [ "$shown" -gt 0 ] || fail "$document: has no command that runs"
    printf '%-36s %3d blocks\n' "$document" "$shown"
}

# --- links from document to document, with their headings ---
slugs() { # document
    awk '/^```/ { inside = !inside } /^#+ / && !inside { sub(/^#+ /, ""); print tolower($0) }' "$1" |
        sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}
check_links() { # document
    local target path anchor
    while read -r target; do
        case "$target" in http://* | https://* | mailto:*) continue ;; esac
        path=${target%%#*} anchor=
        [[ "$target" != *'#'* ]] || anchor=${target#*#}
        if [ -n "$path" ]; then path=$(dirname "$1")/$path; else path=$1; fi
        if [ ! -e "$path" ]; then
            fail "$1: a link to $target, which is not there"
        elif [ -n "$anchor" ] && ! slugs "$path" | grep -qx -- "$anchor"; then
            fail "$1: a link to $target, which has no such heading"
        fi
    done < <(awk '/^```/ { inside = !inside } !inside' "$1" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
}

used=()
for document in "${documents[@]}"; do run "$document"; done
for document in *.md docs/*.md benches/*.md; do check_links "$document"; done
if [ $# = 0 ]; then
    for reason in "${reasons[@]}"; do
        [[ " ${used[*]} " == *"$reason"* ]] || fail "$0: no document has a block '${reason%%|*}'"
    done
    grep -q '^```rust' docs/client.md || fail 'docs/client.md: has no example in Rust'
    grep -q 'include_str!("../../docs/client.md")' client/src/lib.rs ||
        fail 'docs/client.md: its examples are no doctests of the client'
fi
[ "$failures" = 0 ] || { printf '%d failures\n' "$failures" >&2; exit 1; }
