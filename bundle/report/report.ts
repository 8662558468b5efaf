import type { BundleFacts, CaseView } from '../case-data.ts';
import { isoTime } from '../entry-facts.ts';
import { handChecks } from './by-hand.ts';
import {
  custodySection,
  factsSection,
  findingsSection,
  headSection,
  promiseSection,
  proofSection,
  receiptSection,
} from './case-sections.ts';
import { type CaseSummary, createSummary } from './case-summary.ts';
import { alertSection, chainSection, entriesSection } from './entry-sections.ts';
import { type Html, escaped, literalMarkup, markup } from './html.ts';
import { STYLE, STYLE_SOURCE } from './style.ts';

/** Nothing may load, run, post or be embedded; one style sheet may apply. */
export const REPORT_POLICY = `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; form-action 'none'`;

/**
 * data/report/report.html: the case for people, on screen and on paper. One file that loads nothing and runs nothing; the
 * same case gives the same bytes. It shows hostile text, so all of it goes through `escaped`, and it is bounded: what does
 * not fit is counted and said.
 */
export function caseReport(): CaseView<string> {
  const summary = createSummary();
  return { push: (entry) => summary.push(entry), finish: (facts) => page(facts, summary.finish()) };
}

function page(facts: BundleFacts, summary: CaseSummary): string {
  const body = escaped`<body>
    <main>
      ${headSection(facts)}${findingsSection(facts)}${factsSection(facts, summary)}${promiseSection()}${alertSection(facts, summary)}${chainSection(facts, summary)}${proofSection(facts)}${receiptSection(facts)}${custodySection(facts)}${entriesSection(facts, summary)}${handSection(facts)}
    </main>
    <footer>
      Case ${facts.caseId}, made ${isoTime(facts.createdMs)} with ${facts.tool.name} ${facts.tool.version}.
      Text that came with the evidence is shown as it came, except: characters that cannot be seen or that
      turn the direction of text are named, as in ${literalMarkup('⟨U+202E⟩')}, and what is too long is cut
      with a count.
    </footer>
  </body>`;
  const head = escaped`<head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${REPORT_POLICY}" />
    <meta name="referrer" content="no-referrer" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Evidence report, case ${facts.caseId}</title>
    <style>${literalMarkup(STYLE)}</style>
  </head>`;
  return `<!doctype html>\n<html lang="en">${markup(head)}${markup(body)}</html>\n`;
}

function handSection(facts: BundleFacts): Html {
  return escaped`<h2>Repeat by hand</h2>
    <p>
      With sha256sum, openssl (3 or newer), jq and a POSIX shell, in the unpacked bundle. These show that
      nothing of ours is needed; the whole tree is checked by the verifier, in verify/ or as a command.
    </p>
    <ol class="hand">
      ${handChecks(facts).map(
        ({ title, commands, expect }) =>
          escaped`<li>
            <strong>${title}</strong>
            <pre><code>${commands.map((command) => escaped`${command}\n`)}</code></pre>
            <span class="note">${expect}</span>
          </li>`,
      )}
    </ol>`;
}
