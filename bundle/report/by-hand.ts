import type { BundleFacts } from '../case-data.ts';

/** One check that needs nothing of ours, as commands for a POSIX shell in the unpacked bundle. */
export interface HandCheck {
  readonly title: string;
  readonly commands: readonly string[];
  /** What must come out. */
  readonly expect: string;
}

/** `name+id+base64` without anything a shell reads in another way. */
const SAFE_KEY = /^[A-Za-z0-9._/:@-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/;

/** SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410 §4), as printf writes it. */
const SPKI = String.raw`'\060\052\060\005\006\003\053\145\160\003\041\000'`;
const VERIFY = (file: string, signature: string) =>
  `openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/${file}" -sigfile "$work/${signature}"`;

/** The checks of a bundle, for its first log and its keys. Later ones go on from the variables of earlier ones. */
export function handChecks(facts: BundleFacts): HandCheck[] {
  const index = facts.logs[0]?.index ?? '0001';
  return [
    {
      title: 'Every file is the one that was sealed',
      commands: ['sha256sum -c --quiet manifest-sha256.txt', 'sha256sum -c --quiet tagmanifest-sha256.txt'],
      expect: 'No output: every file has the hash of its manifest line.',
    },
    {
      title: 'One entry is bound to its body',
      commands: [
        `file=data/entries/${index}.jsonl; line=1`,
        String.raw`preimage() { sed -n "$1"'s/^{"seq":"[0-9]*","preimage":"\([^"]*\)".*/\1/p' "$file"; }`,
        `sed -n "$line"p "$file" | jq -j .body | sha256sum`,
        `printf '%b' "$(preimage "$line")" | sed -n 8p`,
      ],
      expect:
        'Twice the same hash. A body that is no text is in body_base64: take jq -j .body_base64 | base64 -d instead.',
    },
    {
      title: 'One entry is bound to the next',
      commands: [
        String.raw`{ printf '\0'; printf '%b' "$(preimage "$line")"; } | sha256sum`,
        `printf '%b' "$(preimage $((line + 1)))" | sed -n 4p`,
      ],
      expect:
        facts.mode === 'range'
          ? 'Twice the same hash: the leaf of the entry, which is the link of the next one.'
          : 'The first hash is the leaf of the entry. The second is the same only where the next line of the file is the next entry of the log.',
    },
    {
      title: 'The notary signed the checkpoint',
      commands: [
        'work=$(mktemp -d)',
        `key='${keyText(facts.keys.notary.at(-1))}'`,
        `{ printf ${SPKI}; printf '%s' "$key" | cut -d+ -f3- | base64 -d | tail -c 32; } > "$work/key.der"`,
        `sed '/^$/,$d' data/checkpoints/anchor.note > "$work/note"`,
        `grep -F "— \${key%%+*} " data/checkpoints/anchor.note | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > "$work/note.sig"`,
        VERIFY('note', 'note.sig'),
      ],
      expect:
        'Signature Verified Successfully. Put in the key that you were given by another way: the one printed here comes from the bundle itself.',
    },
    {
      title: 'The seal is that of the bundle key, over both manifests',
      commands: [
        `key='${keyText(facts.keys.bundle)}'`,
        `{ printf ${SPKI}; printf '%s' "$key" | cut -d+ -f3- | base64 -d | tail -c 32; } > "$work/key.der"`,
        'jq -j .payload seal.dsse.json | base64 -d > "$work/payload"',
        'type=$(jq -j .payloadType seal.dsse.json)',
        `{ printf 'DSSEv1 %s %s %s ' "\${#type}" "$type" "$(wc -c < "$work/payload" | tr -d ' ')"; cat "$work/payload"; } > "$work/signed"`,
        `jq -j '.signatures[0].sig' seal.dsse.json | base64 -d > "$work/seal.sig"`,
        VERIFY('signed', 'seal.sig'),
        `jq -r '.subject[] | .digest.sha256 + "  " + .name' "$work/payload" | sha256sum -c`,
      ],
      expect: 'Signature Verified Successfully, and both manifests OK.',
    },
    {
      title: 'The acts of custody are chained',
      commands: [
        String.raw`sed -n 1p data/custody/custody.jsonl | tr -d '\n' | sha256sum`,
        'sed -n 2p data/custody/custody.jsonl | jq -r .previous',
      ],
      expect: 'Twice the same hash: each act names the line before it.',
    },
    {
      title: 'The seal is no younger than the timestamp says (only where seal.tsr is there)',
      commands: ['openssl ts -verify -in seal.tsr -token_in -data seal.dsse.json -CAfile authority.pem'],
      expect:
        'Verification: OK. authority.pem is the root certificate of the timestamp authority, from the authority.',
    },
  ];
}

/** A key with odd characters in its name is not put into a command that people copy. */
const keyText = (key: string | undefined): string =>
  key !== undefined && SAFE_KEY.test(key) ? key : 'NAME+ID+KEY';
