import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import { isNews, type ToldTimes } from './counters/told-times.ts';
import type { DetectEvent, Detector } from './detector.ts';
import { describeSupply, type SupplyFact } from './supply-chain-words.ts';

/** What is known of how one server, or one package, is made. */
interface Build {
  /** Versions seen, latest last. */
  readonly versions: string[];
  packageName: string | undefined;
  packageVersion: string | undefined;
  lockfile: string | undefined;
  /** Last changes of the version, told at most one in ten minutes: a rolling upgrade shows both for a while. */
  readonly changedMs: number[];
  readonly changeIds: string[];
  calledMs: number;
  /** Bad news that came while nobody called the server. */
  pending: SupplyFact[];
  readonly told: ToldTimes;
}

/** Tells a fact of the build. */
type Tell = (fact: SupplyFact) => void;

type Builds = Map<string, Build>;
type Supply = NonNullable<CustodyEvent['supply_chain']>;

const maxBuilds = 256;
const maxVersions = 8;
const rollingMs = 10 * 60_000;
const dayMs = 24 * 3_600_000;

/**
 * What servers are made of changed, or is known to be bad. What a scanner or a server says of a build is a fact told once and no
 * behaviour of sessions, so it is kept as it comes (first seen is trusted, every change is told): most of it comes outside any
 * session and would never be learned at a close.
 */
export function supplyChain(config: DetectConfig['supply_chain']): Detector<Builds, undefined> {
  return {
    id: 'supply-chain',
    version: 1,
    newTenantState: () => new Map(),
    newSessionState: () => undefined,

    step(detected, { tenant }, raise) {
      const { event } = detected;
      const { server, supply_chain: supply } = event;
      if (supply === undefined && server?.version === undefined && event.kind !== 'tool_call') return;
      const name = server?.name ?? (supply?.package === undefined ? undefined : `package ${supply.package}`);
      if (name === undefined) return;
      const build = keptEntry(tenant, name, maxBuilds, newBuild, ({ versions }) => versions.length > 0);
      // Every session that calls the server would tell it again.
      const tell: Tell = (fact) => {
        const key = `${fact.kind} ${fact.version ?? ''} ${fact.supply?.package ?? ''} ${fact.count ?? ''}`;
        if (isNews(build.told, key, detected.timeMs, dayMs)) raise(describeSupply(event, fact));
      };
      if (event.kind === 'tool_call') build.calledMs = Math.max(build.calledMs, detected.timeMs);
      // Several packages make one server: the version of one that is told of is its own, not the server's.
      if (server?.version !== undefined) judgeVersion(config, detected, build, server.version, tell);
      if (supply !== undefined) judgeSupply(config, detected, build, supply, tell);
      const isUsed = build.calledMs > 0 && detected.timeMs - build.calledMs <= config.in_use_ms;
      if (!isUsed || build.pending.length === 0) return;
      const told = build.pending;
      build.pending = [];
      told.forEach(tell);
    },
  };
}

function newBuild(): Build {
  return {
    versions: [],
    packageName: undefined,
    packageVersion: undefined,
    lockfile: undefined,
    changedMs: [],
    changeIds: [],
    calledMs: 0,
    pending: [],
    told: new Map(),
  };
}

function judgeVersion(
  config: DetectConfig['supply_chain'],
  { event, registry, timeMs }: DetectEvent,
  build: Build,
  version: string,
  tell: Tell,
): void {
  const { versions } = build;
  const before = versions.at(-1);
  if (before === version) return;
  const approved = registry?.server(event.server?.name)?.versions ?? [];
  const isKnown = versions.includes(version);
  if (isKnown) versions.splice(versions.indexOf(version), 1);
  pushBounded(versions, version, maxVersions);
  const isUnapproved = approved.length > 0 && !approved.includes(version);
  if (before === undefined) {
    if (isUnapproved) tell({ kind: 'unapproved', version, approved });
    return;
  }
  const lastMs = build.changedMs.at(-1);
  if (lastMs === undefined || timeMs - lastMs >= rollingMs) {
    pushBounded(build.changedMs, timeMs, config.flip_flops);
    pushBounded(build.changeIds, event.event_id, config.flip_flops);
    const [firstMs = 0] = build.changedMs;
    if (isKnown && build.changedMs.length >= config.flip_flops && timeMs - firstMs <= dayMs) {
      const { changeIds } = build;
      tell({ kind: 'flip-flop', before, version, times: changeIds.length, evidence: changeIds });
    }
  }
  if (isUnapproved && !isKnown) tell({ kind: 'unapproved', version, before, approved });
  // Approved, or seen before: nothing new.
  else if (!isKnown && approved.length === 0) tell({ kind: 'version', version, before });
}

function judgeSupply(
  config: DetectConfig['supply_chain'],
  detected: DetectEvent,
  build: Build,
  supply: Supply,
  tell: Tell,
): void {
  const { event, registry } = detected;
  judgeContents(detected, build, supply, tell);
  const registered = registry?.server(event.server?.name);
  if (supply.signature === 'bad') tell({ kind: 'bad-signature' });
  else if (supply.signature === 'unsigned' && registered?.requiresSignature === true)
    tell({ kind: 'unsigned' });
  const isUsed = build.calledMs > 0 && detected.timeMs - build.calledMs <= config.in_use_ms;
  const news: SupplyFact[] = [];
  const critical = supply.critical_count ?? 0;
  if (critical > 0) news.push({ kind: 'critical', count: critical, supply });
  if (supply.deprecated === true) news.push({ kind: 'deprecated', supply });
  if (news.length === 0) return;
  // A package that is of no server has no calls to wait for.
  if (isUsed || event.server?.name === undefined) news.forEach(tell);
  else build.pending = news;
}

/** The same version with other contents is worse than another version. */
function judgeContents({ event, registry }: DetectEvent, build: Build, supply: Supply, tell: Tell): void {
  const { package: name, package_version: version, lockfile_digest: lockfile } = supply;
  const approved = registry?.server(event.server?.name)?.versions ?? [];
  const isApproved = version !== undefined && approved.includes(version);
  const samePackage = name === undefined || build.packageName === undefined || name === build.packageName;
  const before = build.packageVersion;
  if (samePackage) {
    const sameVersion = version === undefined || before === undefined || version === before;
    if (!sameVersion && !isApproved) tell({ kind: 'package-version', version, before, supply });
    if (lockfile !== undefined && build.lockfile !== undefined && lockfile !== build.lockfile && sameVersion)
      tell({ kind: 'lockfile', version, supply });
  } else if (event.server?.name !== undefined && build.lockfile === undefined && lockfile === undefined) {
    // A scanner that goes through the packages of one server: nothing to compare.
  } else if (lockfile !== undefined && lockfile !== build.lockfile && !isApproved)
    tell({ kind: 'package', before: build.packageName, supply });
  build.packageName = name ?? build.packageName;
  build.packageVersion = version ?? (samePackage ? build.packageVersion : undefined);
  build.lockfile = lockfile ?? build.lockfile;
}
