/**
 * For each detector, the test (or row of one) that plants what it is for, and the one that plants what looks like it and is
 * none. Both are titles in test/detectors/<detector id>.test.ts.
 */
export const plantedIncidents: Readonly<
  Record<string, { readonly incident: string; readonly lookAlike: string }>
> = {
  'novel-chain': {
    incident: 'pages for a send to a place that only an earlier output named and that nobody here ever used',
    lookAlike: 'stays silent when the agent was asked to go there',
  },
  'exfil-spike': {
    incident: 'alerts when a huge output is followed by a send to a new destination',
    lookAlike: 'stays silent on %s',
  },
  'scope-drift': {
    incident: 'alerts on a broader grant without a change ticket',
    lookAlike: 'stays silent on write:* of exactly 900 seconds once it is held with a ticket',
  },
  loop: { incident: 'alerts on the fourth identical call', lookAlike: 'stays silent on %s' },
  'receipt-gap': {
    incident: 'is told after the time in which outcomes come, of the session that was allowed',
    lookAlike: 'stays silent when the outcome itself is the next thing that happens, however late',
  },
  'allowed-set': { incident: 'a denied destination', lookAlike: 'of what is allowed' },
  'auth-burst': {
    incident: 'is told at the fifth within a few seconds, with those before it as evidence',
    lookAlike: 'four refused logins, or one in half a minute for an hour',
  },
  'denial-probing': {
    incident: 'is told at the fourth different tool refused to one actor, over all its sessions',
    lookAlike: 'is not what is refused to the actor all the time',
  },
  'first-seen': {
    incident: 'is medium where it can do harm and first uses have become rare',
    lookAlike: 'is nothing where the call was refused',
  },
  'token-misuse': {
    incident: 'of single use is told the second time, and one call told twice is one use',
    lookAlike: 'of exactly ten minutes, and an age of exactly ninety days, are nothing',
  },
  'unapproved-privilege': {
    incident: 'is told once for a session and tool',
    lookAlike: 'where a policy event told ticket or approver before',
  },
  unregistered: {
    incident: 'a server that only lists its tools is told',
    lookAlike: 'of what is registered',
  },
  'unusual-hours': {
    incident: 'is told of a call with consequences on a Sunday night',
    lookAlike: 'is not told of an agent that works around the clock',
  },
  volume: {
    incident: 'is told when many sends of many sessions add up',
    lookAlike: 'is none to a usual destination',
  },
  'error-rate': {
    incident: 'tells when a tool fails far more often than it used to, in several sessions',
    lookAlike: 'stays silent where that many failures are usual',
  },
  'rate-limit': {
    incident: 'are told at the first of an agent, and at eight within a minute',
    lookAlike: 'are no storm when they are seven, or spread over minutes',
  },
  'bulk-change': {
    incident: 'tells of one call that changes more than 1000 things without a ticket',
    lookAlike: 'stays silent on %s',
  },
  'duplicate-mutation': {
    incident: 'that two calls succeed under is told, with both calls',
    lookAlike: 'is not taken for two calls when two vantage points tell of one',
  },
  budget: {
    incident: 'is told at 80 percent and when it is exceeded, once each',
    lookAlike: 'is not told below the floor, nor of an agent that nobody knows',
  },
  'supply-chain': {
    incident: 'is told as unapproved where the registry lists others',
    lookAlike: 'minds a missing signature only where one is required',
  },
  'config-drift': {
    incident: 'tells of a new endpoint that nobody approved',
    lookAlike: 'stays silent on a registry event that tells no change',
  },
  health: {
    incident: 'is told while others go on, once',
    lookAlike: 'is none in a night in which nobody works',
  },
  'audit-blindness': {
    incident: 'that stay away are told after a minute, with the records around them',
    lookAlike: 'that only come late are not told',
  },
  'local-transport': { incident: 'a page of this machine', lookAlike: 'a server on loopback' },
  'unusual-parameters': {
    incident: 'alerts on an argument that no call of a consequential tool had',
    lookAlike: 'stays silent on %s',
  },
  'tool-change': {
    incident: 'alerts on a changed description and says what was changed',
    lookAlike: 'does not flap when users are shown different variants',
  },
  'tool-shadowing': {
    incident: 'alerts high on a name with letters that are not what they look like',
    lookAlike: 'stays silent on %s',
  },
  'zone-crossing': {
    incident: 'alerts high when data of a restricted zone goes to a vendor by a way never gone',
    lookAlike: 'takes a way that benign sessions go for usual',
  },
  ssrf: {
    incident: 'alerts medium on a private address no session has used, at a tool that sends out',
    lookAlike: 'stays silent on public places, on allowed ones and on private ones that are in use',
  },
  'injection-shape': {
    incident: 'alerts high when the form is in a call that acts and a value came from what strangers wrote',
    lookAlike: 'stays silent where such text is the business of the tool',
  },
  'secret-leak': {
    incident: 'alerts high on a secret sent to a place no session has used',
    lookAlike: 'stays silent on a tool that always carries a credential, until it goes elsewhere',
  },
  'toxic-flow': {
    incident: 'alerts high when a call goes where a result with instructions pointed',
    lookAlike: 'tells no flow from a value that is equal by chance',
  },
  'leaky-error': {
    incident: 'alerts medium when the error holds a secret',
    lookAlike: 'a result that is no error',
  },
};
