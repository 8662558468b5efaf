import type { Alert } from '../schemas/alert.ts';
import type { BundleFacts, CaseEntry, CaseView } from './case-data.ts';
import { isoTime } from './entry-facts.ts';
import { objectId } from './stix-ids.ts';
import {
  destinationObject,
  destinationPattern,
  softwareObject,
  type StixObject,
  userObject,
} from './stix-observables.ts';
import { wellFormedText } from './stix-text.ts';

/** Beyond these a case goes on without new objects; the report object says how many were left out. */
export const STIX_LIMITS = { observations: 2_000, alerts: 500 } as const;

interface Observation {
  readonly objects: readonly StixObject[];
  readonly actor: string | undefined;
  firstMs: number;
  lastMs: number;
  count: number;
}

/**
 * data/stix.json: the case for threat intelligence platforms, STIX 2.1. Tool calls become observed-data, one object for all
 * calls of one actor, user, tool and destinations; an alert becomes a note, and each destination it names an indicator with
 * a sighting. Ids are name-based and all times are of the evidence: the same case gives the same bytes. Memory is bounded.
 */
export function stixBundle(): CaseView<string> {
  const observations = new Map<string, Observation>();
  const alerts: CaseEntry[] = [];
  const left = { calls: 0, alerts: 0, destinations: 0 };
  return {
    push(entry) {
      if (entry.alert !== undefined) {
        if (alerts.length < STIX_LIMITS.alerts) alerts.push(entry);
        else left.alerts += 1;
        return;
      }
      if (entry.event?.kind === 'tool_call' || entry.event?.kind === 'api_call') observe(entry);
    },
    finish(facts) {
      const objects = new Map<string, StixObject>();
      const add = (object: StixObject): string => {
        if (!objects.has(object.id)) objects.set(object.id, object);
        return object.id;
      };
      const build = builder(facts, add);
      const seen = [...observations].map(([key, observation]) => ({
        observation,
        id: build.observed(key, observation),
      }));
      for (const { alert, appendTimeMs } of alerts)
        if (alert !== undefined) left.destinations += build.alert(alert, appendTimeMs, seen);
      build.report([...objects.keys()], left);
      const content = [...objects.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      const bundle = {
        type: 'bundle',
        id: objectId('bundle', facts.deployment, facts.caseId),
        objects: content,
      };
      return `${JSON.stringify(bundle, undefined, 1)}\n`;
    },
  };

  function observe({ event, appendTimeMs }: CaseEntry): void {
    if (event === undefined) return;
    const { server, tool, actor, destinations = [] } = event;
    const key = JSON.stringify([
      actor?.id,
      actor?.user_id,
      server?.name,
      server?.version,
      tool?.name,
      destinations,
    ]);
    const known = observations.get(key);
    if (known !== undefined) {
      known.count += 1;
      known.lastMs = Math.max(known.lastMs, appendTimeMs);
      return;
    }
    if (observations.size >= STIX_LIMITS.observations) {
      left.calls += 1;
      return;
    }
    const found = destinations.map(destinationObject);
    left.destinations += found.filter((object) => object === undefined).length;
    const objects = [
      ...(server?.name === undefined ? [] : [softwareObject(server.name, server.version)]),
      ...(tool?.name === undefined
        ? []
        : [softwareObject(`${server?.name ?? 'unknown'}/${tool.name}`, undefined)]),
      ...(actor?.user_id === undefined ? [] : [userObject(actor.user_id)]),
      ...found.filter((object) => object !== undefined),
    ];
    if (objects.length === 0) left.calls += 1;
    else
      observations.set(key, {
        objects,
        actor: actor?.id,
        firstMs: appendTimeMs,
        lastMs: appendTimeMs,
        count: 1,
      });
  }
}

interface Seen {
  readonly observation: Observation;
  readonly id: string;
}

/** Makes the objects of one case; each is added once. */
function builder(facts: BundleFacts, add: (object: StixObject) => string) {
  const { deployment, caseId } = facts;
  const deploymentId = objectId('identity', deployment, caseId, 'deployment');
  const object = (type: string, timeMs: number, parts: readonly string[], more: Record<string, unknown>) =>
    add({
      type,
      spec_version: '2.1',
      id: objectId(type, deployment, caseId, ...parts),
      ...(type === 'identity' && parts[0] === 'deployment' ? {} : { created_by_ref: deploymentId }),
      created: isoTime(timeMs),
      modified: isoTime(timeMs),
      ...more,
    });
  const relate = (timeMs: number, type: string, from: string, to: string) =>
    object('relationship', timeMs, [type, from, to], {
      relationship_type: type,
      source_ref: from,
      target_ref: to,
    });
  object('identity', facts.fromMs, ['deployment'], {
    name: `Custody deployment ${deployment}, tenant ${facts.tenant}`,
    identity_class: 'system',
  });
  const agent = (name: string) =>
    object('identity', facts.fromMs, ['agent', name], {
      name: wellFormedText(name),
      identity_class: 'system',
      roles: ['ai-agent'],
    });

  return {
    observed(key: string, { objects, actor, firstMs, lastMs, count }: Observation): string {
      const refs = [...new Set(objects.map(add))];
      const id = object('observed-data', firstMs, [key], {
        first_observed: isoTime(firstMs),
        last_observed: isoTime(lastMs),
        number_observed: Math.min(count, 999_999_999),
        object_refs: refs,
      });
      if (actor !== undefined) relate(firstMs, 'related-to', id, agent(actor));
      return id;
    },

    /** Gives how many destinations are nothing STIX has a type for. */
    alert(alert: Alert, timeMs: number, seen: readonly Seen[]): number {
      const techniques = techniquesOf(alert).map(({ source, id, url }) =>
        object('attack-pattern', facts.fromMs, [source, id], {
          name: id,
          external_references: [{ source_name: source, external_id: id, url }],
        }),
      );
      let unknown = 0;
      const indicators = (alert.destinations ?? []).flatMap((destination) => {
        const target = destinationObject(destination);
        if (target === undefined) {
          unknown += 1;
          return [];
        }
        const from = seen.filter(({ observation }) => observation.objects.some(({ id }) => id === target.id));
        return [indicatorOf(alert, timeMs, target, from, techniques)];
      });
      object('note', timeMs, [alert.alert_id], {
        abstract: wellFormedText(alert.title),
        content: wellFormedText(
          `${alert.reason}\nObserved: ${alert.observed}\nNormal: ${alert.normal}\nDistance: ${alert.distance}\nSeverity: ${alert.severity}; detector ${alert.detector.id} version ${alert.detector.version}; alert ${alert.alert_id}`,
        ),
        object_refs: [...(indicators.length > 0 ? indicators : [deploymentId]), ...techniques],
        ...(alert.references.owasp.length === 0
          ? {}
          : {
              external_references: alert.references.owasp.map((id) => ({
                source_name: 'owasp',
                external_id: wellFormedText(id),
              })),
            }),
      });
      return unknown;
    },

    report(
      refs: readonly string[],
      left: { readonly calls: number; readonly alerts: number; readonly destinations: number },
    ): void {
      object('report', facts.createdMs, ['report'], {
        name: wellFormedText(`Evidence of case ${caseId}`),
        description: wellFormedText(
          [
            facts.question,
            facts.claim,
            `Left out of this file: ${left.calls} tool calls, ${left.alerts} alerts, ${left.destinations} destinations that are neither address nor domain name nor URL; all are in data/entries and data/timeline.csv.`,
          ]
            .filter((part) => part !== undefined)
            .join('\n'),
        ),
        report_types: ['observed-data'],
        published: isoTime(facts.createdMs),
        object_refs: [...refs].sort(),
      });
    },
  };

  function indicatorOf(
    alert: Alert,
    timeMs: number,
    target: StixObject,
    seen: readonly Seen[],
    techniques: readonly string[],
  ): string {
    add(target);
    const indicator = object('indicator', timeMs, [target.id, alert.alert_id], {
      name: wellFormedText(alert.title),
      description: wellFormedText(alert.reason),
      indicator_types: ['anomalous-activity'],
      pattern: destinationPattern(target),
      pattern_type: 'stix',
      valid_from: isoTime(timeMs),
    });
    for (const technique of techniques) relate(timeMs, 'indicates', indicator, technique);
    for (const { id } of seen) relate(timeMs, 'based-on', indicator, id);
    const observations = seen.map(({ observation }) => observation);
    object('sighting', timeMs, ['sighting', indicator], {
      sighting_of_ref: indicator,
      where_sighted_refs: [deploymentId],
      ...(observations.length === 0
        ? {}
        : {
            first_seen: isoTime(Math.min(...observations.map(({ firstMs }) => firstMs))),
            last_seen: isoTime(Math.max(...observations.map(({ lastMs }) => lastMs))),
            count: Math.min(
              observations.reduce((sum, { count }) => sum + count, 0),
              999_999_999,
            ),
            observed_data_refs: seen.map(({ id }) => id),
          }),
    });
    return indicator;
  }
}

interface Technique {
  readonly source: 'mitre-attack' | 'mitre-atlas';
  readonly id: string;
  readonly url: string;
}

/** References of an alert that are ids of techniques; anything else in their place is left to the note. */
function techniquesOf({ references }: Alert): Technique[] {
  return [
    ...references.attack
      .filter((id) => /^T\d{4}(?:\.\d{3})?$/.test(id))
      .map((id) => ({
        source: 'mitre-attack' as const,
        id,
        url: `https://attack.mitre.org/techniques/${id.replace('.', '/')}`,
      })),
    ...references.atlas
      .filter((id) => /^AML\.T\d{4}(?:\.\d{3})?$/.test(id))
      .map((id) => ({ source: 'mitre-atlas' as const, id, url: `https://atlas.mitre.org/techniques/${id}` })),
  ];
}
