#!/bin/sh
# Verifies an evidence bundle with nothing of ours: sh, unzip, sha256sum, base64, xxd, awk, sed, jq, openssl 3.
# A second reading of docs/spec/bundle.md, for those who believe no program of the party that made the bundle; meant for small
# bundles (some hundred entries a minute).
#
#   sh verify-bundle.sh <bundle.zip | directory> [trust.json]
#
# Prints the verdict, then one finding a line: CAUSE file seq: detail. Exit codes: 0 valid, 3 invalid, 4 undecidable, 2 usage.
# Left to the other verifiers: that JSON is written in exactly one way (only its keys are looked at), and the sizes a
# hostile bundle may have; unpack what you do not trust in a place of its own.
set -u
LC_ALL=C
export LC_ALL
umask 077
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: sh verify-bundle.sh <bundle.zip | directory> [trust.json]" >&2; exit 2; }
for tool in unzip sha256sum base64 xxd awk sed jq openssl; do
  command -v "$tool" >/dev/null || { echo "cannot verify: $tool is missing" >&2; exit 2; }
done
bundle=$1
trust=${2-}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/findings"

find_() { printf '%s %s %s: %s\n' "$1" "$2" "$3" "$4" >>"$tmp/findings"; } # cause file seq detail
finish() {
  code=0
  verdict=VALID
  if [ -s "$tmp/findings" ]; then
    verdict=UNDECIDABLE code=4
    grep -Evq '^(NO_PINNED_KEY|CUSTODY_KEY) ' "$tmp/findings" && verdict=INVALID code=3
  fi
  echo "$verdict"
  tr -c '\n -~' '?' <"$tmp/findings"
  exit $code
}

# ---- hashes and keys
sha() { sum_=$(sha256sum <"$1") && printf '%s' "${sum_%% *}"; }
sha_hex() { sum_=$(printf '%s' "$1" | xxd -r -p | sha256sum) && printf '%s' "${sum_%% *}"; }
node() { sha_hex "01$1$2"; }
b64_hex() { printf '%s' "$1" | base64 -d 2>/dev/null | xxd -p | tr -d '\n'; }
hex_of() { xxd -p "$1" | tr -d '\n'; }

# A C2SP verifier key <name>+<id>+<base64>: sets key_name, key_id, key_hex (type and key); fails when it is none.
read_key() {
  key_name=${1%%+*} key_id=${1#*+}
  key_id=${key_id%%+*}
  case $known_keys in
    *"|$1 "*) key_hex=${known_keys#*"|$1 "} key_hex=${key_hex%%|*} && return 0 ;;
  esac
  key_hex=$(b64_hex "${1#*+*+}")
  [ -n "$key_name" ] && [ ${#key_hex} -eq 66 ] || return 1
  [ "$(key_id_of "$key_name" "$key_hex")" = "$key_id" ] || return 1
  known_keys="$known_keys|$1 $key_hex|"
}
known_keys=
key_id_of() { # name, type and key in hex
  { printf '%s\n' "$1"; printf '%s' "$2" | xxd -r -p; } | sha256sum | cut -c1-8
}
# Ed25519: the 32 bytes of a key (hex), a file, the 64 bytes of a signature (hex).
ed25519() {
  printf '302a300506032b6570032100%s' "$1" | xxd -r -p >"$tmp/key.der"
  printf '%s' "$3" | xxd -r -p >"$tmp/sig"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$tmp/key.der" -rawin -in "$2" -sigfile "$tmp/sig" >/dev/null 2>&1
}

# ---- signed notes: split_note file writes $tmp/note.text and $tmp/note.sigs (name, hex); sets origin, size, root (hex)
split_note() {
  awk -v text="$tmp/note.text" -v sigs="$tmp/note.lines" '
    { line[NR] = $0; if ($0 == "") last = NR }
    END { if (!last) exit 1
      printf "" >text; printf "" >sigs
      for (i = 1; i < last; i++) print line[i] >text
      for (i = last + 1; i <= NR; i++) print line[i] >sigs }' "$1" || return 1
  : >"$tmp/note.sigs"
  while IFS= read -r line; do
    name=$(printf '%s' "$line" | sed -n 's/^\xe2\x80\x94 \([^ ]*\) [^ ]*$/\1/p')
    signature=$(b64_hex "$(printf '%s' "$line" | sed -n 's/^\xe2\x80\x94 [^ ]* \([^ ]*\)$/\1/p')")
    [ -n "$name" ] && [ ${#signature} -gt 8 ] || return 1
    printf '%s %s\n' "$name" "$signature" >>"$tmp/note.sigs"
  done <"$tmp/note.lines"
  [ "$(wc -l <"$tmp/note.text")" -eq 3 ] || return 1
  origin=$(sed -n 1p "$tmp/note.text") size=$(sed -n 2p "$tmp/note.text") root=$(b64_hex "$(sed -n 3p "$tmp/note.text")")
  printf '%s' "$size" | grep -Eq '^(0|[1-9][0-9]{0,18})$' && [ ${#root} -eq 64 ]
}
# signed_by name id key_hex: 0 signed, 1 not, 2 badly signed
signed_by() {
  signature=$(awk -v name="$1" -v id="$2" '$1 == name && substr($2, 1, 8) == id { print substr($2, 9); exit }' "$tmp/note.sigs")
  [ -n "$signature" ] || return 1
  case $3 in
    01*) ed25519 "${3#01}" "$tmp/note.text" "$signature" || return 2 ;;
    04*)
      [ ${#signature} -eq 144 ] || return 2
      { printf 'cosignature/v1\ntime %d\n' "0x$(printf '%s' "$signature" | cut -c1-16)"; cat "$tmp/note.text"; } >"$tmp/cosigned"
      ed25519 "${3#04}" "$tmp/cosigned" "$(printf '%s' "$signature" | cut -c17-)" || return 2 ;;
    *) return 2 ;;
  esac
}
witness_count() {
  count=0
  while IFS= read -r key; do
    read_key "$key" && signed_by "$key_name" "$key_id" "$key_hex" && count=$((count + 1))
  done <"$tmp/witnesses"
  echo $count
}
# counted keys-file file seq: 0 when a key that counts for $size signed the split note; else a finding
counted() {
  best=UNKNOWN_KEY
  while read -r key from until stolen; do
    read_key "$key" || continue
    signed_by "$key_name" "$key_id" "$key_hex"
    case $? in
      1) continue ;;
      2) best=NOTE_SIGNATURE; break ;;
    esac
    if [ "$size" -lt "$from" ] || { [ "$until" != - ] && [ "$size" -ge "$until" ]; }; then
      [ $best = COUNTS ] || best=KEY_WINDOW
    elif [ "$stolen" != - ] && [ "$size" -ge "$stolen" ] && ! { [ "$quorum" -gt 0 ] && [ "$(witness_count)" -ge "$quorum" ]; }; then
      [ $best = COUNTS ] || best=KEY_WINDOW
    else
      best=COUNTS
    fi
  done <"$1"
  [ $best = COUNTS ] && return 0
  find_ "${4:-$best}" "$2" "$3" "the checkpoint of size $size: $best"
  return 1
}

# ---- trees (RFC 6962)
# inclusion leaf index size hash...: prints the root
inclusion() {
  root_=$1 at=$2 last=$(($3 - 1))
  [ "$3" -gt 0 ] && [ "$at" -le "$last" ] || return 1
  shift 3
  for sibling; do
    [ "$last" -gt 0 ] || return 1
    if [ $((at % 2)) -eq 1 ] || [ "$at" -eq "$last" ]; then
      root_=$(node "$sibling" "$root_")
      while [ $((at % 2)) -eq 0 ]; do at=$((at / 2)) last=$((last / 2)); done
    else
      root_=$(node "$root_" "$sibling")
    fi
    at=$((at / 2)) last=$((last / 2))
  done
  [ "$last" -eq 0 ] && printf '%s' "$root_"
}
# A compact range that grows: tree_stack holds level:hash, the rightmost first; tree_end is its end.
tree_push() { # hash level
  hash_=$1 level_=$2 index_=$((tree_end >> $2))
  tree_end=$((tree_end + (1 << $2)))
  while [ $((index_ % 2)) -eq 1 ]; do
    top=${tree_stack%% *}
    [ "${top%%:*}" = "$level_" ] || break
    hash_=$(node "${top#*:}" "$hash_")
    tree_stack=${tree_stack#* } level_=$((level_ + 1)) index_=$((index_ / 2))
  done
  tree_stack="$level_:$hash_ $tree_stack"
}
# tree_join end hash...: the compact range from tree_end to end
tree_join() {
  to_=$1
  shift
  while [ "$tree_end" -lt "$to_" ]; do
    level=0
    while [ $((tree_end % (1 << (level + 1)))) -eq 0 ] && [ $((tree_end + (1 << (level + 1)))) -le "$to_" ]; do level=$((level + 1)); done
    [ $# -gt 0 ] || return 1
    tree_push "$1" $level
    shift
  done
  [ $# -eq 0 ] && [ "$tree_end" -eq "$to_" ]
}
tree_root() {
  root_=
  for part in $tree_stack; do
    if [ -z "$root_" ]; then root_=${part#*:}; else root_=$(node "${part#*:}" "$root_"); fi
  done
  printf '%s' "$root_"
}

# ---- layout
if [ -d "$bundle" ]; then
  dir=$bundle
else
  names=$(unzip -Z1 "$bundle" 2>/dev/null) || { find_ LAYOUT - - "it is no zip"; finish; }
  printf '%s\n' "$names" | grep -Evq '^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$' && { find_ LAYOUT - - "a file has a name that no bundle has"; finish; }
  [ -z "$(printf '%s\n' "$names" | tr 'A-Z' 'a-z' | sort | uniq -d)" ] || { find_ LAYOUT - - "two files have one name"; finish; }
  unzip -Z "$bundle" | grep -q '^l' && { find_ LAYOUT - - "it has links"; finish; }
  mkdir "$tmp/bundle"
  unzip -q "$bundle" -d "$tmp/bundle" >/dev/null 2>&1 || { find_ LAYOUT - - "it does not unpack"; finish; }
  dir=$tmp/bundle
fi
[ -z "$(find "$dir" ! -type f ! -type d)" ] || { find_ LAYOUT - - "it has links"; finish; }
(cd "$dir" && find . -type f | sed 's|^\./||' | sort) >"$tmp/names"
cd "$dir" || exit 2
case $trust in '' | /*) ;; *) trust=$OLDPWD/$trust ;; esac

required='bagit.txt bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt seal.dsse.json data/case.json data/logs.json data/checkpoints/anchor.note data/checkpoints/rotations.json data/anchors/anchors.json data/custody/custody.jsonl'
for name in $required; do [ -f "$name" ] || find_ MISSING_FILE "$name" - "a bundle has this file"; done
: >"$tmp/listed"
for manifest in manifest-sha256.txt tagmanifest-sha256.txt; do
  [ -f $manifest ] || continue
  while read -r sum name; do
    case $manifest:$name in
      manifest*:data/* | tagmanifest*:[!d]* | tagmanifest*:d[!a]*) ;;
      *) find_ MANIFEST $manifest - "a line does not belong here" ;;
    esac
    printf '%s\n' "$name" >>"$tmp/listed"
    if [ ! -f "$name" ]; then find_ MISSING_FILE "$name" - "the manifest lists it"
    elif [ "$(sha "$name")" != "$sum" ]; then find_ MANIFEST "$name" - "its content is not what the manifest lists"; fi
  done <$manifest
done
[ -z "$(sort "$tmp/listed" | uniq -d)" ] || find_ MANIFEST - - "a name is listed twice"
while IFS= read -r name; do
  case $name in tagmanifest-sha256.txt | seal.dsse.json | seal.tsr) continue ;; esac
  grep -Fxq -- "$name" "$tmp/listed" || find_ EXTRA_FILE "$name" - "no manifest lists it"
done <"$tmp/names"
for name in data/case.json data/logs.json data/checkpoints/rotations.json data/anchors/anchors.json; do
  jq -e . "$name" >/dev/null 2>&1 || { [ -f "$name" ] && find_ LAYOUT "$name" - "it is not JSON"; finish; }
done

# ---- keys
case_() { jq -r "$1" data/case.json; }
deployment=$(case_ .deployment) tenant=$(case_ .tenant) mode=$(case_ .mode) case_id=$(case_ .case)
if [ -z "$trust" ]; then
  find_ NO_PINNED_KEY - - "no trust policy from outside of the bundle was given"
  trust=$PWD/data/keys/trust-policy.json
fi
jq -e '.schema == "custody.trust/v1"' "$trust" >/dev/null 2>&1 || { echo "cannot verify: no trust policy $trust" >&2; exit 2; }
jq -r '.notary[] | "\(.verifier_key) \(.from_size // "0") \(.until_size // "-") \(.compromised_since_size // "-")"' "$trust" >"$tmp/notary"
jq -r '.bundle_keys // [] | .[]' "$trust" >"$tmp/bundle_keys"
jq -r '.witnesses.keys // [] | .[]' "$trust" >"$tmp/witnesses"
quorum=$(jq -r '.witnesses.quorum // 0' "$trust")
anchor_origin=$(jq -r .deployment "$trust")/anchor

# ---- seal: DSSE over an in-toto statement about both manifests
if [ -f seal.dsse.json ]; then
  type=$(jq -r .payloadType seal.dsse.json)
  jq -r .payload seal.dsse.json | base64 -d >"$tmp/payload" 2>/dev/null
  { printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(wc -c <"$tmp/payload")"; cat "$tmp/payload"; } >"$tmp/pae"
  sealed=UNKNOWN_KEY
  jq -r '.signatures[] | "\(.sig) \(.keyid // "-")"' seal.dsse.json >"$tmp/seals"
  while read -r signature keyid; do
    while IFS= read -r key; do
      read_key "$key" || continue
      if ed25519 "${key_hex#01}" "$tmp/pae" "$(b64_hex "$signature")"; then sealed=
      elif [ "$keyid" = "$key_name+$key_id" ] && [ -n "$sealed" ]; then sealed=SEAL; fi
    done <"$tmp/bundle_keys"
  done <"$tmp/seals"
  if [ ! -s "$tmp/bundle_keys" ]; then find_ NO_PINNED_KEY seal.dsse.json - "no bundle key is pinned"
  elif [ -n "$sealed" ]; then find_ $sealed seal.dsse.json - "no pinned bundle key has sealed it"; fi
  [ "$type" = application/vnd.in-toto+json ] || find_ SEAL seal.dsse.json - "it seals something that is no statement"
  if jq -e '._type == "https://in-toto.io/Statement/v1" and .predicateType == "https://custody.dev/attestation/bundle/v1" and ([.subject[].name] == ["manifest-sha256.txt", "tagmanifest-sha256.txt"])' "$tmp/payload" >/dev/null 2>&1; then
    for name in manifest-sha256.txt tagmanifest-sha256.txt; do
      sum=$(jq -r --arg name $name '.subject[] | select(.name == $name) | .digest.sha256' "$tmp/payload")
      [ -f $name ] && [ "$(sha $name)" = "$sum" ] || find_ SEAL seal.dsse.json - "$name is not the file that was sealed"
    done
    jq -e --slurpfile case data/case.json --slurpfile logs data/logs.json '.predicate | .case == $case[0].case and .mode == $case[0].mode and .created_ms == $case[0].created_ms and .logs == [$logs[0][] | {log, from_seq, to_seq}]' "$tmp/payload" >/dev/null ||
      find_ CASE_MISMATCH seal.dsse.json - "the seal is over another case"
  else find_ SEAL seal.dsse.json - "what it says has another form"; fi
fi
[ "$(case_ '.findings // [] | length')" -eq 0 ] || find_ EXPORTED_INVALID data/case.json - "the exporter says that the store contradicts its checkpoints"

# ---- rotations: each accepted key may hand over to the next
rotation() { # number of the rotation
  rotation_=$(jq -c ".[$1]" data/checkpoints/rotations.json)
  field() { printf '%s' "$rotation_" | jq -r "$1"; }
  seq=$(field .seq)
  printf '%s' "$rotation_" | jq -j .entry >"$tmp/entry"
  [ "$(jq -r .type "$tmp/entry" 2>/dev/null)" = key_rotated ] || { echo "no entry about a new key"; return; }
  printf '%s' "$rotation_" | jq -j .note >"$tmp/rotation.note"
  split_note "$tmp/rotation.note" || { echo "no checkpoint"; return; }
  [ "$origin" = "$anchor_origin" ] && [ "$size" = "$(field .size)" ] || { echo "another checkpoint"; return; }
  [ "$(inclusion "$(sha_hex "00$(hex_of "$tmp/entry")")" "$seq" "$size" $(field '.hashes[]'))" = "$root" ] || { echo "not in the tree"; return; }
  old=$(jq -r .old "$tmp/entry") new=$(jq -r .new "$tmp/entry")
  printf 'custody/key-rotation/v1\n%s\n%s\n%s\n' "$anchor_origin" "$old" "$new" >"$tmp/takeover"
  read_key "$new" && ed25519 "${key_hex#01}" "$tmp/takeover" "$(b64_hex "$(jq -r .proof "$tmp/entry")")" || { echo "the new key has not signed that it takes over"; return; }
  new_name=$key_name new_id=$key_id new_hex=$key_hex
  awk -v key="$old" '$1 == key' "$tmp/notary" >"$tmp/old"
  [ -s "$tmp/old" ] || return
  cp "$tmp/findings" "$tmp/findings.kept"
  counted "$tmp/old" - - || { cp "$tmp/findings.kept" "$tmp/findings"; echo "the old key has not signed its checkpoint"; return; }
  signed_by "$new_name" "$new_id" "$new_hex" || { echo "the new key has not signed its checkpoint"; return; }
  awk -v key="$old" -v until=$((size + 1)) '$1 == key { if ($3 == "-" || $3 > until) $3 = until } { print }' "$tmp/notary" >"$tmp/notary.next"
  grep -Fq -- "$new " "$tmp/notary.next" || printf '%s %s - -\n' "$new" "$size" >>"$tmp/notary.next"
  mv "$tmp/notary.next" "$tmp/notary"
}
count_=$(jq length data/checkpoints/rotations.json) at_=0
while [ $at_ -lt "$count_" ]; do
  # Not in a subshell: what it says goes to a file.
  rotation $at_ >"$tmp/reason"
  [ -s "$tmp/reason" ] && find_ ROTATION_INVALID data/checkpoints/rotations.json "$(jq -r ".[$at_].seq" data/checkpoints/rotations.json)" "$(cat "$tmp/reason")"
  at_=$((at_ + 1))
done

# ---- the anchor log's checkpoint
note=data/checkpoints/anchor.note
split_note $note || { find_ NOTE_SIGNATURE $note - "it is no checkpoint"; finish; }
anchor_size=$size anchor_root=$root
[ "$origin" = "$deployment/anchor" ] && [ "$(case_ .anchor_origin)" = "$origin" ] || find_ CASE_MISMATCH $note - "it is not the checkpoint of this deployment"
[ "$anchor_origin" = "$deployment/anchor" ] || find_ CASE_MISMATCH data/case.json - "the trust policy is that of another deployment"
counted "$tmp/notary" $note -
[ "$quorum" -eq 0 ] || [ "$(witness_count)" -ge "$quorum" ] || find_ WITNESS_QUORUM $note - "not enough pinned witnesses have cosigned"
# What an authority stamped is the note without cosignatures.
{ cat "$tmp/note.text"; echo; awk -v dash="$(printf '\342\200\224')" -v name="$anchor_origin" '$1 == dash && $2 == name' "$tmp/note.lines"; } >"$tmp/stamped"
stamp() { # token file, message file
  jq -r '.timestamp_authorities // [] | .[].certificates_pem' "$trust" >"$tmp/ca.pem"
  grep -q BEGIN "$tmp/ca.pem" || return 0
  for form in -token_in ''; do
    openssl ts -verify $form -in "$1" -data "$2" -CAfile "$tmp/ca.pem" -partial_chain >/dev/null 2>&1 && return 0
  done
  find_ TIMESTAMP "$1" - "openssl ts -verify refuses it"
}
jq -r --arg size "$anchor_size" '.[] | select(.type == "timestamp" and .size == $size) | .anchor' data/anchors/anchors.json >"$tmp/stamps"
while IFS= read -r anchor; do
  [ -f "data/anchors/$anchor.tsr" ] && stamp "data/anchors/$anchor.tsr" "$tmp/stamped"
done <"$tmp/stamps"
[ -f seal.tsr ] && stamp seal.tsr seal.dsse.json

# ---- every log: its entries, their root, the entry of the anchor log that states it
jq -r '.[] | "\(.log) \(.index) \(.mode) \(.from_seq) \(.to_seq) \(.entries)"' data/logs.json >"$tmp/logs"
grep -E '^data/(entries|proofs|checkpoints/logs)/' "$tmp/names" | while IFS= read -r name; do
  index=$(basename "$name" | sed 's/\..*//')
  awk -v index_="$index" '$2 == index_ { found = 1 } END { exit !found }' "$tmp/logs" || find_ EXTRA_FILE "$name" - "it belongs to no log"
done
check_log() { # log index mode from to entries
  log=$1 file=data/entries/$2.jsonl proof=data/proofs/$2.json
  case $log in "$deployment/$tenant/"*) ;; *) find_ LOG_ID "$proof" - "it is no log of this tenant" ;; esac
  [ -f "$file" ] && [ -f "$proof" ] || { find_ MISSING_FILE "$proof" - "a log has entries and a proof"; return; }
  jq -r '.log, .mode, .from_seq // "-", .to_seq // "-", .size, .root, .anchor.size, .anchor.seq, (.anchor.hashes | join(" ")), (.before // [] | join(" ")), (.after // [] | join(" ")), (.items // [] | length)' "$proof" >"$tmp/proof" 2>/dev/null || { find_ LAYOUT "$proof" - "it has another form"; return; }
  {
    read -r proof_log && read -r proof_mode && read -r proof_from && read -r proof_to && read -r log_size && read -r log_root &&
      read -r proof_anchor_size && read -r anchor_seq && read -r anchor_hashes && read -r before && read -r after && read -r items
  } <"$tmp/proof"
  jq -r '.items // [] | .[] | "\(.seq) \(.hashes | join(" "))"' "$proof" >"$tmp/items"
  [ "$proof_log" = "$log" ] || find_ LOG_ID "$proof" - "it is the proof of another log"
  [ "$proof_mode" = "$3" ] && [ "$mode" = "$3" ] || find_ CASE_MISMATCH "$proof" - "another mode"
  [ "$proof_mode" != range ] || { [ "$proof_from" = "$4" ] && [ "$proof_to" = "$5" ]; } || find_ COMPLETENESS "$proof" - "it is the proof of another window"
  jq -j .anchor.entry "$proof" >"$tmp/entry"
  stated=
  if ! jq -e --arg log "$log" --arg size "$log_size" --arg root "$log_root" '.type == "checkpoint" and .log == $log and .size == $size and .root == $root' "$tmp/entry" >/dev/null 2>&1; then
    find_ ANCHOR_ENTRY "$proof" - "the entry of the anchor log states something else"
  elif [ "$proof_anchor_size" = "$anchor_size" ] && [ "$(inclusion "$(sha_hex "00$(hex_of "$tmp/entry")")" "$anchor_seq" "$anchor_size" $anchor_hashes)" = "$anchor_root" ]; then
    stated=$(jq -r .leaf "$tmp/entry")
  else
    find_ ANCHOR_INCLUSION "$proof" - "the entry is not in the tree of the anchor log"
  fi
  if [ -f "data/checkpoints/logs/$2.note" ]; then log_note "data/checkpoints/logs/$2.note"; fi
  jq -c --stream 'select(length == 2) | .[0][0]' "$file" 2>/dev/null | awk 'NR % 3 == 1 && $0 != "\"seq\"" || NR % 3 == 2 && $0 != "\"preimage\"" || NR % 3 == 0 && $0 !~ /^"body(_base64)?"$/ { bad = 1 } END { exit bad || NR % 3 }' ||
    find_ LEAF_HASH "$file" - "a line is not seq, preimage and body"
  jq -r '[.seq, (.preimage | @base64), (if has("body") then .body | @base64 else .body_base64 end)] | join(" ")' "$file" >"$tmp/lines" 2>/dev/null || find_ LEAF_HASH "$file" - "a line is not JSON"
  next=$4 whole=1 previous= number=0 tree_stack= tree_end=0 ended=-1
  [ "$3" = selection ] || tree_join "$4" $before || whole=0
  started=$whole
  exec 3<"$tmp/items"
  while read -r seq preimage body; do check_entry "$3" "$4" "$5"; done <"$tmp/lines"
  exec 3<&-
  [ "$number" = "$6" ] || find_ COMPLETENESS "$file" - "it has $number entries, not $6"
  if [ "$3" = selection ]; then
    [ "$number" = "$items" ] || find_ COMPLETENESS "$file" - "it has another number of proofs"
  else
    [ "$next" = $(($5 + 1)) ] || { whole=0; find_ COMPLETENESS "$file" "$next" "the entries end early"; }
    if [ $started = 0 ]; then find_ ROOT_MISMATCH "$file" "$4" "the hashes before the window are not those it needs"
    elif [ $whole = 1 ]; then
      tree_join "$log_size" $after && [ "$(tree_root)" = "$log_root" ] || find_ ROOT_MISMATCH "$file" "$4" "the entries are not those under the root"
    fi
  fi
  [ -z "$stated" ] || [ $(($5 + 1)) != "$log_size" ] || [ $whole = 0 ] || [ "$ended" != "$5" ] || [ "$previous" = "$stated" ] || find_ ANCHOR_ENTRY "$proof" - "it states another last entry"
}
log_note() {
  split_note "$1" || { find_ NOTE_SIGNATURE "$1" - "it is no checkpoint"; return; }
  [ "$origin" = "$log" ] || { find_ LOG_ID "$1" - "it is the checkpoint of another log"; return; }
  [ "$size" = "$log_size" ] && [ "$root" = "$log_root" ] || find_ ROOT_MISMATCH "$1" - "it is the checkpoint of another tree"
  note_cause=UNKNOWN_KEY
  while read -r key rest; do
    read_key "$key" || continue
    # The same key under the name of the log.
    id=$(key_id_of "$log" "$key_hex")
    signed_by "$log" "$id" "$key_hex"
    case $? in 0) [ $note_cause = NOTE_SIGNATURE ] || note_cause= ;; 2) note_cause=NOTE_SIGNATURE ;; esac
    [ "$note_cause" != NOTE_SIGNATURE ] || break
  done <"$tmp/notary"
  [ -z "$note_cause" ] || find_ $note_cause "$1" - "no key that counts has signed it"
}
check_entry() { # mode from to; reads seq preimage body of the loop
  printf '%s' "$preimage" | base64 -d >"$tmp/preimage"
  # Eight lines and nothing after them.
  {
    IFS= read -r version && IFS= read -r of && IFS= read -r line_seq && IFS= read -r prev && IFS= read -r place &&
      IFS= read -r _time && IFS= read -r kind && IFS= read -r body_sha && ! IFS= read -r more && [ -z "$more" ]
  } <"$tmp/preimage" && [ "$version" = mcp-audit/entry/v1 ] && [ "$line_seq" = "$seq" ] && [ ${#prev} -eq 64 ] && [ ${#body_sha} -eq 64 ] &&
    case $kind in event | malformed | control) ;; *) false ;; esac || {
    find_ LEAF_HASH "$file" "$seq" "the preimage is not that of this entry"
    whole=0
    return
  }
  number=$((number + 1)) ended=$seq
  sum=$(printf '%s' "$body" | base64 -d | sha256sum)
  [ "${sum%% *}" = "$body_sha" ] || find_ BODY_HASH "$file" "$seq" "the body is not what was written"
  partition=${log%/*} partition=${partition##*-}
  place=${place%/*}
  { [ "$of" = "$log" ] && [ "${place##*/}" = "$partition" ]; } || find_ LOG_ID "$file" "$seq" "it is an entry of another log"
  leaf=$({ printf '\0'; cat "$tmp/preimage"; } | sha256sum) leaf=${leaf%% *}
  if [ "$1" = selection ]; then
    read -r item hashes <&3 || item= hashes=
    if [ "$item" != "$seq" ] || [ "$(inclusion "$leaf" "$seq" "$log_size" $hashes)" != "$log_root" ]; then
      find_ INCLUSION "$file" "$seq" "it is not in the tree of the checkpoint"
    fi
    { [ "$seq" -ge "$2" ] && [ "$seq" -le "$3" ]; } || find_ COMPLETENESS "$file" "$seq" "it is outside of the window"
    previous=$leaf
    return
  fi
  [ "$next" != 0 ] || previous=0000000000000000000000000000000000000000000000000000000000000000
  if [ "$seq" != "$next" ]; then
    whole=0
    find_ GAP "$file" "$seq" "entry $next belongs here"
  elif [ -n "$previous" ] && [ "$prev" != "$previous" ]; then
    whole=0
    find_ LINK "$file" "$seq" "it does not follow from the entry before it"
  fi
  [ $whole = 0 ] || tree_push "$leaf" 0
  previous=$leaf next=$((seq + 1))
}
while read -r log index mode_ from to entries; do check_log "$log" "$index" "$mode_" "$from" "$to" "$entries"; done <"$tmp/logs"

# ---- custody: each act names the line before it and is signed
custody=data/custody/custody.jsonl
if [ -f $custody ]; then
  previous=0000000000000000000000000000000000000000000000000000000000000000 number=0 time=0 sealed=
  jq -r '"\(.seq) \(.previous) \(.time_ms) \(.key) \(.action) \(.signature)"' $custody >"$tmp/acts" 2>/dev/null || find_ CUSTODY_LINK $custody - "a line is no act"
  jq -cS 'del(.signature)' $custody >"$tmp/unsigned" 2>/dev/null
  jq -r .case $custody 2>/dev/null | grep -Fxvq -- "$case_id" && find_ CASE_MISMATCH $custody - "an act is about another case"
  exec 3<"$tmp/acts" 4<"$tmp/unsigned"
  while IFS= read -r line; do
    read -r seq named at signer action signature <&3 && IFS= read -r unsigned <&4 || break
    { [ "$seq" = $number ] && [ "$named" = "$previous" ] && [ "$at" -ge "$time" ]; } 2>/dev/null || find_ CUSTODY_LINK $custody $number "it does not follow from the act before it"
    printf '%s' "$unsigned" >"$tmp/act"
    wrong=CUSTODY_KEY
    while IFS= read -r key; do
      read_key "$key" && [ "$signer" = "$key_name+$key_id" ] || continue
      wrong=CUSTODY_SIGNATURE
      ed25519 "${key_hex#01}" "$tmp/act" "$(b64_hex "$signature")" && wrong=
    done <"$tmp/bundle_keys"
    [ -z "$wrong" ] || [ ! -s "$tmp/bundle_keys" ] || find_ $wrong $custody $number "no pinned key has signed it"
    [ "$action" != seal ] || sealed=1
    previous=$(printf '%s' "$line" | sha256sum) previous=${previous%% *} number=$((seq + 1)) time=$at
  done <$custody
  [ -n "$sealed" ] || find_ CUSTODY_LINK $custody - "no act says that the bundle was sealed"
fi
finish
