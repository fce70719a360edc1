#!/usr/bin/env bash
# Each security level against TLS peers that nobody here wrote: `openssl s_client` and Python's ssl as
# clients of siftd, `openssl s_server` as the server of sift, at each version of TLS. Prints a table;
# exits 1 if a cell differs from the rules of the levels, 0 otherwise. A peer that this machine does not
# have is left out, and the output says so.
#
#   server/tests/peers.sh [FOLDER of siftd and sift, target/debug by default]
#
# Level 2 is tried where the build has it (cargo build --features legacy-tls).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

bin=$(cd "${1:-${CARGO_TARGET_DIR:-target}/debug}" && pwd)
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
export XDG_CONFIG_HOME=$work/config HOME=$work
# a machine may forbid TLS 1.1 to all of its programs; peers here decide for themselves
export OPENSSL_CONF=/dev/null

skip() { printf 'skipped: %s\n' "$*"; }
# within COMMAND...: until it succeeds, ten seconds at most
within() {
    local tries
    for tries in {1..200}; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        read -rt 0.05 <>"$work/never" || true
    done
    return 1
}
mkfifo "$work/never"

deviations=0
cells=0
row() { # peer, level, what, expected, got
    local verdict=ok
    cells=$((cells + 1))
    if [ "$4" != "$5" ]; then
        verdict=DEVIATION
        deviations=$((deviations + 1))
    fi
    printf '%-16s %-7s %-32s %-10s %-10s %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}

command -v openssl >/dev/null || { skip 'no openssl on this machine'; exit 0; }

# --- the server: every level that the build has, and a plain port ---

"$bin/siftd" cert authority --dir "$work" >/dev/null
"$bin/siftd" cert issue localhost 127.0.0.1 --dir "$work" -o "$work/ecdsa.pem" >/dev/null
# an RSA certificate by the same authority, for the suites that need one
openssl req -new -newkey rsa:2048 -nodes -keyout "$work/rsa.key" -subj /CN=localhost \
    -out "$work/rsa.csr" -config /dev/stdin 2>/dev/null <<<$'[req]\ndistinguished_name = dn\n[dn]'
openssl x509 -req -in "$work/rsa.csr" -CA "$work/authority.pem" -CAkey "$work/authority.key" -days 2 \
    -extfile <(echo 'subjectAltName = DNS:localhost, IP:127.0.0.1') -out "$work/rsa.crt" 2>/dev/null
cat "$work/rsa.crt" "$work/rsa.key" >"$work/rsa.pem"

if "$bin/siftd" serve --scl 2 --data "$work/nowhere" 2>&1 | grep -q legacy-tls; then
    levels=(3 4 5)
    skip 'level 2: this build is without the feature legacy-tls'
else
    levels=(2 3 4 5)
fi
mkdir "$work/data"
{
    printf 'data = "%s"\nlog_format = "json"\nsecure = false\ndefault_user = "any"\n' "$work/data"
    for level in "${levels[@]}"; do
        for key in ecdsa rsa; do
            printf '[[listener]]\nport = 0\nscl = %s\ncert = "%s"\n' "$level" "$work/$key.pem"
        done
    done
    printf '[[listener]]\nport = 0\nencrypt = false\n'
} >"$work/siftd.toml"
"$bin/siftd" serve --config "$work/siftd.toml" 2>"$work/log" &
pids+=($!)
listening() { [ "$(grep -c '"message":"listening' "$work/log")" = "$((2 * ${#levels[@]} + 1))" ]; }
within listening || { cat "$work/log"; exit 1; }
mapfile -t ports < <(sed -n 's/.*"message":"listening.*"address":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/log")
declare -A port
for index in "${!levels[@]}"; do
    port[${levels[index]} ecdsa]=${ports[2 * index]}
    port[${levels[index]} rsa]=${ports[2 * index + 1]}
done
plain=${ports[-1]}

# --- what is expected ---

# met LEVEL VERSION HYBRID: the protocol, or refused; HYBRID is whether the peer has X25519MLKEM768
met() {
    case "$1 $2" in
    '2 TLSv1.1' | '2 TLSv1.2' | '3 TLSv1.2' | '3 TLSv1.3' | '4 TLSv1.3') echo "$2" ;;
    '5 TLSv1.3') if [ "$3" = yes ]; then echo "$2"; else echo refused; fi ;;
    *) echo refused ;;
    esac
}
flag() { echo "-${1/TLSv/tls}" | tr . _; }
versions=(TLSv1.1 TLSv1.2 TLSv1.3)
hybrid=no
if openssl list -kem-algorithms 2>/dev/null | grep -q X25519MLKEM768; then hybrid=yes; fi

printf '%-16s %-7s %-32s %-10s %-10s\n' peer level what expected got

# --- openssl s_client ---

# version OUTPUT: the protocol that a -brief session tells, or refused
version() { sed -n 's/^Protocol version: *//p' <<<"$1" | grep . || echo refused; }
s_client() { # port, options...
    timeout 10 openssl s_client -brief -connect "127.0.0.1:$1" -alpn sift/1 -verify_return_error \
        -verify_ip 127.0.0.1 -CAfile "$work/authority.pem" "${@:2}" </dev/null 2>&1 || true
}
for level in "${levels[@]}"; do
    for version in "${versions[@]}"; do
        got=$(version "$(s_client "${port[$level ecdsa]}" "$(flag "$version")" \
            -cipher DEFAULT@SECLEVEL=0)")
        row s_client "$level" "$version" "$(met "$level" "$version" "$hybrid")" "$got"
    done
done
got=$(version "$(s_client "$plain" -tls1_2)")
row s_client plain TLSv1.2 refused "$got"

# --- the cipher as the log tells it, beside what `openssl ciphers -v` prints of the suite ---

# a Hello of version 1 that asks for a level, which siftd answers and logs
hello() { printf '\x01\x00\x00\x00\x04\x00\x00\x00\x08\x01\x18'"\\x0$1"; }
logged() { [ "$(grep -c '"message":"connection"' "$work/log")" -gt "$1" ]; }
prove() { # level, key, version, suite, option that names it
    local before cipher due pid
    before=$(grep -c '"message":"connection"' "$work/log" || true)
    mkfifo "$work/input"
    # what it says of a refusal is of no interest: the log tells
    timeout 20 openssl s_client -quiet -connect "127.0.0.1:${port[$1 $2]}" -alpn sift/1 \
        "$(flag "$3")" "$5" "$4" <"$work/input" >/dev/null 2>&1 &
    pid=$!
    exec 3>"$work/input"
    hello "$1" >&3 || true
    within logged "$before" || true
    exec 3>&-
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm "$work/input"
    cipher=$(grep '"message":"connection"' "$work/log" | tail -n 1 |
        sed 's/.*"cipher":"\([^"]*\)".*/\1/')
    due=$(openssl ciphers -v 'ALL:@SECLEVEL=0' | grep "^${4%%:*} " | head -n 1 | tr -s ' ' | sed 's/ $//')
    if [ "$cipher" = "$due" ]; then cipher=same; fi
    row s_client "$1" "${4%%:*}" same "$cipher"
}
for suite in TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256; do
    prove 3 ecdsa TLSv1.3 "$suite" -ciphersuites
done
for name in AES256-GCM-SHA384 AES128-GCM-SHA256 CHACHA20-POLY1305; do
    prove 3 ecdsa TLSv1.2 "ECDHE-ECDSA-$name" -cipher
    prove 3 rsa TLSv1.2 "ECDHE-RSA-$name" -cipher
done
if [ "${levels[0]}" = 2 ]; then
    for name in AES256-GCM-SHA384 AES128-GCM-SHA256 CHACHA20-POLY1305 AES128-SHA256 AES256-SHA384; do
        prove 2 ecdsa TLSv1.2 "ECDHE-ECDSA-$name" -cipher
        prove 2 rsa TLSv1.2 "ECDHE-RSA-$name" -cipher
    done
    for name in AES256-SHA AES128-SHA; do
        prove 2 ecdsa TLSv1.1 "ECDHE-ECDSA-$name:@SECLEVEL=0" -cipher
        prove 2 rsa TLSv1.1 "ECDHE-RSA-$name:@SECLEVEL=0" -cipher
    done
fi

# --- Python's ssl ---

python_client() { # port, version: prints the protocol, or refused
    python3 - "$1" "$2" "$work/authority.pem" <<'PYTHON'
import socket, ssl, sys, warnings
warnings.simplefilter("ignore")
port, version, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.set_ciphers("DEFAULT:@SECLEVEL=0")
context.set_alpn_protocols(["sift/1"])
one = getattr(ssl.TLSVersion, version.replace(".", "_").replace("TLSv1", "TLSv1"))
context.minimum_version = context.maximum_version = one
try:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as tcp:
        with context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls:
            print(tls.version())
except (OSError, ssl.SSLError):
    print("refused")
PYTHON
}
if command -v python3 >/dev/null && python3 -c 'import ssl' 2>/dev/null; then
    new=$(python3 -c 'import ssl; print("yes" if ssl.OPENSSL_VERSION_INFO >= (3, 5) else "no")')
    for level in "${levels[@]}"; do
        for version in "${versions[@]}"; do
            got=$(python_client "${port[$level ecdsa]}" "$version")
            row "Python's ssl" "$level" "$version" "$(met "$level" "$version" "$new")" "$got"
        done
    done
    row "Python's ssl" plain TLSv1.2 refused "$(python_client "$plain" TLSv1.2)"
else
    skip 'no Python with ssl on this machine'
fi

# --- sift against openssl s_server ---

# It shakes hands and knows no Sift: that the client was content is that it waits for a Welcome.
sift_client() { # level, version: prints the version, or refused
    local out=$work/s_server address pid text
    : >"$out"
    openssl s_server -accept 127.0.0.1:0 -cert "$work/rsa.pem" -key "$work/rsa.pem" -alpn sift/1 \
        "$(flag "$2")" -cipher DEFAULT@SECLEVEL=0 <>"$work/never" >"$out" 2>&1 &
    pid=$!
    within grep -q ACCEPT "$out" || cat "$out" >&2
    address=$(sed -n 's/^ACCEPT *//p' "$out" | head -n 1)
    text=$("$bin/sift" -s "$address" --ca "$work/authority.pem" --scl "$1" --timeout 1 channel 2>&1) || true
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    case "$text" in
    *'no protocol, cipher or key exchange in common'*) echo refused ;;
    *'while shaking hands'*) if grep -q 'CIPHER is' "$out"; then echo "$2"; else echo unclear; fi ;;
    *) printf '%s\n' "$text" >&2; echo unclear ;;
    esac
}
for level in "${levels[@]}"; do
    for version in "${versions[@]}"; do
        row s_server "$level" "$version" "$(met "$level" "$version" "$hybrid")" \
            "$(sift_client "$level" "$version")"
    done
done

printf '%d cells, %d deviations\n' "$cells" "$deviations"
[ "$deviations" = 0 ]
