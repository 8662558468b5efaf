import type { CallFacts, Decision, Finding } from './detector.ts';
import type { Sent, Spike } from './exfil-spike.ts';
import { references } from './references.ts';
import { bytesText, shown } from './wording.ts';

export function describeSpike(
  spike: Spike,
  call: CallFacts,
  destination: string,
  decision: Decision,
): Finding {
  const ratio = spike.bytes / Math.max(1, spike.p99);
  const later = call.index - spike.callIndex;
  const what = spike.side === 'result' ? 'Output' : 'Arguments';
  const name = shown(destination);
  const then =
    later === 0
      ? `in the same call to ${name}`
      : `${later} ${later === 1 ? 'call' : 'calls'} before ${shown(call.toolKey)} sent ${bytesText(call.argumentsBytes ?? 0)} to ${name}`;
  return {
    title: 'Size spike to a new destination',
    severity: 'high',
    score: 1 - 1 / ratio,
    reason: `${what} of ${shown(spike.toolKey)} came to ${bytesText(spike.bytes)}, ${ratio.toFixed(0)} times ${spike.isPooled ? 'the' : 'its'} 99th percentile${spike.isPooled ? ' of tools like it' : ''}, ${then}, which this tenant had never sent to.${decision === 'none' ? ' No policy decision is known.' : ''}`,
    observed: `${bytesText(spike.bytes)}, then a send to ${name}`,
    normal: `99th percentile of ${spike.isPooled ? `tools like ${shown(spike.toolKey)}` : shown(spike.toolKey)}: ${bytesText(spike.p99)}; destinations seen before`,
    distance: `${ratio.toFixed(1)} times the 99th percentile; first contact`,
    dedupKey: `spike ${spike.toolKey} > ${destination}`,
    evidence: [spike.eventId, call.eventId],
    references: references['exfil-spike'],
  };
}

export function describeVolume(sent: Sent, limitBytes: number): Finding {
  return {
    title: 'Volume to one destination over the session limit',
    severity: sent.firstSeen ? 'high' : 'low',
    score: 1 - limitBytes / (2 * sent.bytes),
    reason: `This session sent ${bytesText(sent.bytes)} to ${shown(sent.destination)} in ${sent.calls} calls; the limit is ${bytesText(limitBytes)}.${sent.firstSeen ? ' The tenant had never sent there before.' : ''}`,
    observed: `${bytesText(sent.bytes)} in ${sent.calls} calls`,
    normal: `at most ${bytesText(limitBytes)} to one destination in a session`,
    distance: `${(sent.bytes / limitBytes).toFixed(1)} times the limit`,
    dedupKey: `volume ${sent.destination}`,
    evidence: [sent.firstEventId, sent.lastEventId],
    references: references['exfil-spike'],
  };
}

export function describeDrip(sent: Sent, calls: number, bytes: number): Finding {
  return {
    title: 'Many small sends to a new destination',
    severity: 'medium',
    score: 1 - bytes / (2 * Math.max(bytes, sent.bytes)),
    reason: `This session sent ${bytesText(sent.bytes)} in ${sent.calls} calls to ${shown(sent.destination)}, which this tenant had never sent to before.`,
    observed: `${sent.calls} sends, ${bytesText(sent.bytes)} together`,
    normal: `fewer than ${calls} sends or less than ${bytesText(bytes)} to a destination on its first day`,
    distance: `${(sent.bytes / bytes).toFixed(1)} times the volume, ${(sent.calls / calls).toFixed(1)} times the calls`,
    dedupKey: `drip ${sent.destination}`,
    evidence: [sent.firstEventId, sent.lastEventId],
    references: references['exfil-spike'],
  };
}
