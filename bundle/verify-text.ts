import type { SigningKey } from '../evidence/note/key.ts';
import { formatVerifierKey } from '../evidence/note/key.ts';

/** Text of VERIFY.md: how somebody who was handed the bundle checks it, with our tools and without. */
export function verifyText(caseId: string, key: SigningKey, hasVerifier: boolean): string {
  const own = hasVerifier
    ? `
With what is in this bundle (Node.js 20 or newer, or a browser, both offline):

    node verify/verify.mjs --trust trust.json <the zip file>
    open verify/verify.html in a browser and drop the zip file and trust.json onto it

That code could have been swapped together with the evidence. Compare its SHA-256 with the published one, or use the
command above from a package of your own.
`
    : '';
  return `# How to verify this bundle

Case ${caseId}. The answer is worth what the keys are worth that you compare with: take the trust policy (trust.json) from
the people who run the pipeline, on another way than this file. data/keys/trust-policy.json is for orientation only; a
check against it can find contradictions and can never say valid.

With the custody package:

    custody bundle verify <the zip file> --trust trust.json
${own}
By hand, in the unpacked directory:

    sha256sum -c manifest-sha256.txt
    sha256sum -c tagmanifest-sha256.txt

shows that the files are those the manifests name. seal.dsse.json signs both manifests: an in-toto Statement in a DSSE
envelope, Ed25519, sealed with the key

    ${formatVerifierKey(key)}

which must be one that your trust policy names under bundle_keys. Where there is a seal.tsr, a timestamp authority said when
the seal was there; authority.pem is its root certificate, from the authority:

    openssl ts -verify -token_in -in seal.tsr -data seal.dsse.json -CAfile authority.pem

Each line of data/entries/*.jsonl has the preimage of one
entry; its leaf is SHA-256 of a zero byte and the preimage:

    sed -n 1p data/entries/0001.jsonl | jq -j '"\\u0000" + .preimage' | sha256sum

is, in range mode, the fourth line of the next preimage. data/report/report.html shows the steps from there to the signed checkpoint
data/checkpoints/anchor.note.
`;
}
