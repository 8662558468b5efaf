import type { DetectEvent, Detector, Finding } from './detector.ts';
import { isLoopbackHost, isWildcardAddress, hostOf } from './loopback-host.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';
import { ruleScore } from './rule-score.ts';

/** A server meant for one machine is open to others, or to the pages a browser shows. */
export function localTransport(): Detector<undefined, undefined> {
  return {
    id: 'local-transport',
    version: 1,
    newTenantState: () => undefined,
    newSessionState: () => undefined,

    step(detected, _state, raise) {
      const { network } = detected.event;
      if (network === undefined) return;
      const reach = reachOf(detected);
      if (network.bind_address !== undefined) judgeBind(detected, network.bind_address, reach, raise);
      if (reach !== 'local') return;
      if (network.origin !== undefined) judgeOrigin(detected, network.origin, raise);
      if (network.host !== undefined && !isLoopbackHost(hostOf(network.host)))
        raise(
          finding(detected, {
            title: 'Local server addressed by a foreign name',
            severity: 'high',
            observed: `Host ${shown(network.host)}`,
            normal: 'localhost or a loopback address',
            why: 'A name that strangers own leads to this machine (DNS rebinding).',
            dedupKey: `host ${hostOf(network.host)}`,
          }),
        );
    },
  };
}

type Reach = 'local' | 'network' | 'unknown';

/** Whether the server is for its own machine only: by registration, transport, or where it listens. */
function reachOf({ event, registry }: DetectEvent): Reach {
  const registered = registry?.server(event.server?.name);
  const transports = registered?.transports ?? [];
  if (transports.length > 0)
    return transports.every((transport) => transport === 'stdio') ? 'local' : 'network';
  if (registered?.hosting === 'vendor') return 'network';
  if (event.mcp?.transport === 'stdio') return 'local';
  const listens = event.network?.bind_address ?? event.server?.address;
  if (listens !== undefined) {
    if (isLoopbackHost(hostOf(listens))) return 'local';
    if (event.network?.bind_address === undefined) return 'network';
  }
  if (event.network?.host !== undefined && isLoopbackHost(hostOf(event.network.host))) return 'local';
  return 'unknown';
}

function judgeBind(
  detected: DetectEvent,
  bindAddress: string,
  reach: Reach,
  raise: (finding: Finding) => void,
): void {
  const host = hostOf(bindAddress);
  if (reach === 'network' || isLoopbackHost(host)) return;
  const isWildcard = isWildcardAddress(host);
  // An address of a network that nobody registered may be meant; every address of a machine hardly ever is.
  const severity = reach === 'local' ? 'high' : isWildcard ? 'medium' : 'low';
  raise(
    finding(detected, {
      title: 'Local server open to the network',
      severity,
      observed: `it listens on ${shown(bindAddress)}${isWildcard ? ', every address of the machine' : ''}`,
      normal: '127.0.0.1 or ::1, unless the registry lists a network transport for it',
      why:
        reach === 'local'
          ? 'It is a server for its own machine.'
          : 'Nobody has registered it as a server of the network.',
      dedupKey: `bind ${host}`,
    }),
  );
}

/** Editors run pages of their own; whatever else names an origin is a browser showing somebody's page. */
const editorOrigin = /^(vscode-webview|vscode-file|app|tauri|file):\/\//;

function judgeOrigin(detected: DetectEvent, origin: string, raise: (finding: Finding) => void): void {
  const lower = origin.toLowerCase();
  if (editorOrigin.test(lower)) return;
  const isLoopback = isLoopbackHost(hostOf(lower.replace(/^https?:\/\//, '')));
  const isPage = /^https?:\/\//.test(lower);
  if (isPage && isLoopback)
    raise(
      finding(detected, {
        title: 'Local server called from a browser',
        severity: 'info',
        observed: `Origin ${shown(origin)}, a page of this machine`,
        normal: 'MCP clients name no origin',
        why: 'Fine for a developer tool; elsewhere a page reaches tools.',
        dedupKey: `origin ${lower}`,
      }),
    );
  else
    raise(
      finding(detected, {
        title: isPage ? 'Local server called from a foreign page' : 'Local server called from a browser',
        severity: isPage ? 'high' : 'medium',
        observed: `Origin ${shown(origin)}`,
        normal: 'MCP clients name no origin, or one of this machine',
        why: 'A page or extension that anybody may have made reaches tools of this machine.',
        dedupKey: `origin ${lower}`,
      }),
    );
}

interface Words {
  readonly title: string;
  readonly severity: Finding['severity'];
  readonly observed: string;
  readonly normal: string;
  readonly why: string;
  readonly dedupKey: string;
}

function finding({ event }: DetectEvent, words: Words): Finding {
  const server = event.server?.name === undefined ? 'A server' : `Server ${shown(event.server.name)}`;
  return {
    title: words.title,
    severity: words.severity,
    score: ruleScore[words.severity],
    reason: `${server}: ${words.observed}; normal is ${words.normal}. ${words.why}`,
    observed: words.observed,
    normal: words.normal,
    distance: 'beyond the machine',
    dedupKey: `${event.server?.name ?? ''} ${words.dedupKey}`,
    references: references['local-transport'],
  };
}
