/**
 * Facts that records of other systems state in many spellings (`flat-members.ts` makes them one) and that the collectors'
 * own tables do not read: place in the event ← spellings, the first that is present counts. What the collectors read
 * (`collectors/normalize/dialects/`) is not repeated here.
 */
export const SPELLINGS: readonly (readonly [place: string, spellings: string])[] = [
  [
    'network.bind_address',
    'bind bind_address bind_addr bind_host listen listen_address listen_addr listen_host server.bind',
  ],
  [
    'network.origin',
    'origin http.origin http.request.header.origin headers.origin header.origin request.origin',
  ],
  [
    'network.host',
    'host http.host http.request.header.host headers.host header.host host_header request.host',
  ],
  ['network.peer_address', 'peer peer_address peer.address network.peer.address remote_address'],

  ['supply_chain.package', 'package package.name package_name artifact artifact.name image dependency.name'],
  ['supply_chain.package_version', 'package.version package_version artifact.version'],
  [
    'supply_chain.lockfile_digest',
    'lockfile lockfile_digest lockfile_hash lockfile.digest lockfile.hash lock_hash lock_digest package.lock_hash',
  ],
  [
    'supply_chain.signature',
    'signature signature_status signature.status signature_verified signed package.signature package.signed artifact.signature',
  ],
  [
    'supply_chain.critical_count',
    'critical criticals critical_count critical_cves cve.critical cves.critical vulns.critical vulnerabilities.critical sbom.critical',
  ],
  ['supply_chain.deprecated', 'deprecated package.deprecated'],

  ['change.item_type', 'item_type change_type change.type'],
  ['change.item', 'change_item change.target change.name'],
  ['change.field', 'changed_field change_field'],
  ['change.before', 'before old_value previous_value from_value'],
  ['change.after', 'after new_value to_value'],

  ['health.component', 'component health_component health.name'],
  ['health.status', 'health health_status liveness readiness'],
  ['health.queue_depth', 'queue_depth queue queue.depth queue_length backlog queue_size'],
  ['health.dependency', 'dependency upstream failed_dependency'],

  [
    'item_count',
    'item_count items_count n_items count items rows row_count n_rows rows_affected affected affected_rows record_count records_count batch_size recipient_count recipients_count bulk.count',
  ],

  ['scope.audience', 'audience aud token.aud token.audience scope.aud token.resource'],
  [
    'scope.age_sec',
    'age_sec token_age token_age_sec token.age token.age_sec credential_age_sec credential.age_sec scope.age',
  ],
  [
    'scope.ttl_sec',
    'scope.ttl ttl ttl_seconds token_ttl token_ttl_sec token.ttl scope.expires_in token.expires_in',
  ],
  ['scope.grants', 'scope.granted scope.scopes token.scopes token.scope oauth_scopes permissions'],
  ['scope.credential_class', 'credential credential_type token_type token.class scope.credential'],

  [
    'policy.decision',
    'policy approval approval.status approval.decision approved gate decision_outcome policy_result policy.result',
  ],
  [
    'policy.ticket',
    'change_id change.id change_request change.request approval_ticket approval_id approval jira jira_ticket cr',
  ],
  ['policy.approver', 'approval.by approved_by_id approval.user change.approver'],

  [
    'tool.annotations.read_only',
    'read_only_hint read_only tool.read_only annotations.read_only_hint annotations.read_only',
  ],
  [
    'tool.annotations.destructive',
    'destructive_hint destructive tool.destructive annotations.destructive_hint annotations.destructive',
  ],
  [
    'tool.annotations.idempotent',
    'idempotent_hint idempotent annotations.idempotent_hint annotations.idempotent',
  ],
  [
    'tool.annotations.open_world',
    'open_world_hint open_world annotations.open_world_hint annotations.open_world',
  ],
  [
    'tool.definition_digest',
    'definition_digest definition_hash definition.digest definition.hash tool_digest tool_hash tool.hash schema_hash schema_digest tool.schema_hash def_hash',
  ],

  ['retry_count', 'retries retry.count retry_no attempt_no'],
  ['plan_depth', 'planning_depth recursion_depth nesting'],
  ['cost.usd', 'cost usd price_usd cost.amount spend spend_usd'],
  [
    'cost.input_tokens',
    'tokens token_count total_tokens tokens_total tokens_in prompt_tokens usage.input_tokens usage.total_tokens',
  ],
  ['cost.output_tokens', 'tokens_out completion_tokens usage.output_tokens'],
  ['source.sequence', 'sequence sequence_no seq_no event_seq log_seq event.seq'],
  ['mcp.transport', 'transport'],
  ['idempotency_key', 'idempotency idempotency.key idem dedupe_key'],
  ['pii.count', 'pii pii_found pii.found'],
];
