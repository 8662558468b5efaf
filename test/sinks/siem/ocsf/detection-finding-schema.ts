/**
 * The attributes of OCSF 1.8.0 Detection Finding (2004) this product writes, as JSON Schema, from the class and object
 * pages of the OCSF schema: names, types, which are required, the enums, and the `at_least_one` constraints. Closed:
 * an attribute the class does not have is an error.
 */
const text = { type: 'string' };
const integer = { type: 'integer' };
const timestamp = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const object = (properties: object, required: string[] = [], rest: object = {}) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...rest,
});
const listOf = (items: object) => ({ type: 'array', items });
const oneOfKeys = (...keys: string[]) => ({ anyOf: keys.map((key) => ({ required: [key] })) });
const entity = { anyOf: [{ required: ['name'] }, { required: ['uid'] }] };

const user = object({ uid: text, name: text }, [], oneOfKeys('uid', 'name'));
const actor = object(
  { user, session: object({ uid: text }), app_uid: text, app_name: text },
  [],
  oneOfKeys('user', 'session', 'app_uid', 'app_name'),
);
const api = object({ operation: text, service: object({ name: text, uid: text }, [], entity) }, [
  'operation',
]);
const technique = object({ uid: text, name: text }, [], entity);

export const detectionFindingSchema = object(
  {
    activity_id: { enum: [0, 1, 2, 3, 99] },
    activity_name: text,
    category_uid: { const: 2 },
    category_name: { const: 'Findings' },
    class_uid: { const: 2004 },
    class_name: { const: 'Detection Finding' },
    type_uid: { enum: [200400, 200401, 200402, 200403, 200499] },
    type_name: text,
    time: timestamp,
    severity_id: { enum: [0, 1, 2, 3, 4, 5, 6, 99] },
    severity: { enum: ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal', 'Other'] },
    status_id: { enum: [0, 1, 2, 3, 4, 5, 6, 99] },
    status: text,
    is_alert: { type: 'boolean' },
    message: text,
    action_id: { enum: [0, 1, 2, 3, 4, 99] },
    action: text,
    disposition_id: { type: 'integer', minimum: 0, maximum: 99 },
    disposition: text,
    confidence_id: { enum: [0, 1, 2, 3, 99] },
    confidence: text,
    confidence_score: { type: 'integer', minimum: 0, maximum: 100 },
    risk_score: { type: 'integer', minimum: 0, maximum: 100 },
    risk_level_id: { enum: [0, 1, 2, 3, 4, 99] },
    risk_level: { enum: ['Info', 'Low', 'Medium', 'High', 'Critical', 'Other'] },
    metadata: object(
      {
        version: { const: '1.8.0' },
        uid: text,
        product: object({ name: text, vendor_name: text, uid: text, version: text }, ['name', 'vendor_name']),
        profiles: listOf({ enum: ['security_control'] }),
        tenant_uid: text,
        event_code: text,
        log_name: text,
        original_time: text,
        correlation_uid: text,
        is_truncated: { type: 'boolean' },
        untruncated_size: integer,
      },
      ['version', 'product'],
    ),
    finding_info: object(
      {
        uid: text,
        title: text,
        desc: text,
        created_time: timestamp,
        last_seen_time: timestamp,
        analytic: object(
          {
            type_id: { enum: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99] },
            type: text,
            uid: text,
            name: text,
            version: text,
          },
          ['type_id'],
          entity,
        ),
        attacks: listOf(
          object({ technique, sub_technique: technique }, [], oneOfKeys('technique', 'sub_technique')),
        ),
        related_events: listOf(object({ uid: text, type_uid: integer }, ['uid'])),
        related_events_count: integer,
      },
      ['uid'],
    ),
    evidences: {
      ...listOf(
        object(
          { uid: text, name: text, actor, api, data: { type: 'object' } },
          [],
          oneOfKeys('actor', 'api', 'data'),
        ),
      ),
      minItems: 1,
    },
    resources: listOf(object({ type: text, name: text, uid: text }, [], entity)),
    observables: listOf(
      object(
        {
          name: text,
          type_id: { enum: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 99] },
          type: text,
          value: text,
        },
        ['name', 'type_id'],
      ),
    ),
    unmapped: { type: 'object' },
  },
  ['activity_id', 'category_uid', 'class_uid', 'type_uid', 'time', 'severity_id', 'metadata', 'finding_info'],
);
