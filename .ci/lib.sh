# Shared by the scripts beside it.
export CARGO_TERM_COLOR=never
export CARGO_INCREMENTAL=0

step() {
    printf '\n==== %s\n' "$*"
}

failed() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# A seed that every commit has another of, and one commit always the same: its first six digits.
seed_of_commit() {
    local commit
    commit=$(git rev-parse HEAD 2>/dev/null) || {
        printf '61000'
        return
    }
    printf '%d' "0x${commit:0:6}"
}

# The exit code of a command, whatever it is.
code_of() {
    local code=0
    "$@" >/dev/null || code=$?
    printf '%s' "$code"
}

# One number of a demo's JSON: `figure FILE NAME`.
figure() {
    awk -F': *' -v name="\"$2\"" '$1 ~ name "$" { sub(/,$/, "", $2); print $2; exit }' "$1"
}

# `holds 'EXPRESSION' NAME=VALUE …`: whether arithmetic on those values is true.
holds() {
    local expression=$1 value
    local -a given=()
    shift
    for value in "$@"; do
        [[ "${value#*=}" =~ ^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$ ]] || return 1
        given+=(-v "$value")
    done
    awk "${given[@]}" "BEGIN { exit !($expression) }"
}

# What every run of the demo must show, whatever it measures.
sane() {
    local json=$1 requests admitted utilisation overshoot bound datagrams
    requests=$(figure "$json" requests)
    admitted=$(figure "$json" admitted)
    utilisation=$(figure "$json" utilisation)
    overshoot=$(figure "$json" overshoot_units)
    bound=$(figure "$json" bound_units)
    datagrams=$(figure "$json" datagrams_per_node_s)
    printf '%s requests, %s admitted, utilisation %s, overshoot %s of %s, %s datagrams\n' \
        "$requests" "$admitted" "$utilisation" "$overshoot" "$bound" "$datagrams"
    holds 'o <= b + 1e-9' o="$overshoot" b="$bound" || failed "overshoot above its bound"
    holds 'r > 0 && a > 0 && a <= r' r="$requests" a="$admitted" || failed "no sensible counts"
    holds 'u > 0.5 && u < 2.5' u="$utilisation" || failed "no sensible utilisation"
    holds 'd > 0' d="$datagrams" || failed "no datagrams counted"
}

# A small access log: 24 clients, an hour, every 11th line a burst of 12 in one second.
small_log() {
    awk 'BEGIN {
        for (second = 0; second < 3600; second += 3) {
            lines = second % 33 == 0 ? 12 : 1
            client = lines > 1 ? second % 5 : (second * 7) % 24
            for (i = 0; i < lines; i++)
                printf "client-%d - - [01/Aug/1995:%02d:%02d:%02d +0000] \"GET / HTTP/1.0\" 200 1\n",
                    client, 6 + int(second / 3600), int(second % 3600 / 60), second % 60
        }
    }'
}
