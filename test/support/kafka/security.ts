/** What clients must present; brokers among themselves use a plain listener on loopback. */
export interface KafkaSecurity {
  readonly tls?: KafkaTls;
  readonly sasl?: KafkaSasl;
  /** Denies what no ACL allows, except to these users. Needs `sasl` or client certificates. */
  readonly acls?: { readonly superUsers: readonly string[] };
}

export interface KafkaTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertificate?: 'required' | 'requested';
}

export interface KafkaSasl {
  readonly mechanisms: readonly ('PLAIN' | 'SCRAM-SHA-512')[];
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
}

type Properties = Readonly<Record<string, string>>;

export function securityProtocol({ tls, sasl }: KafkaSecurity): string {
  if (sasl !== undefined) return tls === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL';
  return tls === undefined ? 'PLAINTEXT' : 'SSL';
}

/** Properties of the listener CLIENT and of the authorizer. `keyStore` holds the key and its certificate as PEM. */
export function securityProperties(security: KafkaSecurity, keyStore: string): Properties {
  return {
    ...(security.tls && tlsProperties(security.tls, keyStore)),
    ...(security.sasl && saslProperties(security.sasl)),
    ...(security.acls && aclProperties(security.acls.superUsers)),
  };
}

/** Arguments of `StorageTool format`: SCRAM users must exist before the first broker starts. */
export function scramArguments({ sasl }: KafkaSecurity): readonly string[] {
  if (!sasl?.mechanisms.includes('SCRAM-SHA-512')) return [];
  return Object.entries(sasl.users).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-512=[name=${name},password=${password}]`,
  ]);
}

const tlsProperties = (tls: KafkaTls, keyStore: string): Properties => ({
  'listener.name.client.ssl.keystore.type': 'PEM',
  'listener.name.client.ssl.keystore.location': keyStore,
  'listener.name.client.ssl.truststore.type': 'PEM',
  'listener.name.client.ssl.truststore.location': tls.caFile,
  'listener.name.client.ssl.client.auth': tls.clientCertificate ?? 'none',
});

function saslProperties({ mechanisms, users }: KafkaSasl): Properties {
  const plainUsers = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const security = 'org.apache.kafka.common.security';
  return {
    'sasl.enabled.mechanisms': mechanisms.join(','),
    'listener.name.client.sasl.enabled.mechanisms': mechanisms.join(','),
    'listener.name.client.plain.sasl.jaas.config': `${security}.plain.PlainLoginModule required ${plainUsers.join(' ')};`,
    'listener.name.client.scram-sha-512.sasl.jaas.config': `${security}.scram.ScramLoginModule required;`,
  };
}

/** User:ANONYMOUS is whoever uses the plain listeners: the brokers, and tests through `internalBootstrap`. */
const aclProperties = (superUsers: readonly string[]): Properties => ({
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': ['ANONYMOUS', ...superUsers].map((user) => `User:${user}`).join(';'),
});
