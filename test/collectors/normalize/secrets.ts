/**
 * Made-up secrets by type, in pieces: whole, a scanner of this repository would take them for real ones. `secret` is what must not survive.
 */
export interface SecretCase {
  readonly type: string;
  readonly text: string;
  readonly secret: string;
}

/** Stands where a made-up secret is cut in two. */
export const CUT: string = '';
const alnum = (length: number) => 'aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z'.repeat(9).slice(0, length);
const hex = (length: number) => '0a1b2c3d4e5f6789'.repeat(9).slice(0, length);
const whole = (type: string, secret: string): SecretCase => ({ type, text: `use ${secret} now`, secret });

const pemBody = `MIIEpAIBAAKCAQEA${alnum(120)}`;
const pem = (kind: string) =>
  [`-----BEGIN ${kind}PRIVATE`, ` KEY-----\n${pemBody}\n-----END ${kind}PRIVATE`, ` KEY-----`].join('');

export const SECRETS: readonly SecretCase[] = [
  ...['', 'RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED '].map((kind) => ({
    type: 'private_key',
    text: `key:\n${pem(kind)}\nend`,
    secret: pemBody,
  })),
  { type: 'private_key', text: JSON.stringify({ note: pem('RSA ') }), secret: pemBody },
  { type: 'private_key', text: pem('').slice(0, 100), secret: pemBody.slice(0, 60) },
  whole('jwt', `eyJ${alnum(30)}.eyJ${alnum(60)}.${alnum(43)}`),
  whole('jwt', `eyJ${alnum(30)}.eyJ${alnum(60)}.`),
  whole('aws_key', `AKI${CUT}AIOSFODNN7EXAMPLE`),
  whole('aws_key', `ASI${CUT}AIOSFODNN7EXAMPLE`),
  whole('gcp_key', `AIz${CUT}a${alnum(35)}`),
  whole('gcp_key', `ya2${CUT}9.${alnum(60)}`),
  whole('gcp_key', `GOCSP${CUT}X-${alnum(28)}`),
  whole('azure_key', `${alnum(3)}8${CUT}Q~${alnum(34)}`),
  whole('github_token', `gh${CUT}p_${alnum(36)}`),
  whole('github_token', `gh${CUT}s_${alnum(36)}`),
  whole('github_token', `github${CUT}_pat_${alnum(60)}`),
  whole('gitlab_token', `glpa${CUT}t-${alnum(20)}`),
  whole('slack_token', `xox${CUT}b-123456789012-${alnum(24)}`),
  whole('stripe_key', `sk_liv${CUT}e_${alnum(24)}`),
  whole('stripe_key', `rk_tes${CUT}t_${alnum(24)}`),
  whole('stripe_key', `whse${CUT}c_${alnum(32)}`),
  whole('anthropic_key', `sk-an${CUT}t-api03-${alnum(60)}`),
  whole('openai_key', `sk-pro${CUT}j-${alnum(48)}`),
  whole('openai_key', `s${CUT}k-${alnum(48)}`),
  whole('npm_token', `np${CUT}m_${alnum(36)}`),
  whole('pypi_token', `pyp${CUT}i-${alnum(60)}`),
  whole('sendgrid_key', `S${CUT}G.${alnum(22)}.${alnum(43)}`),
  whole('twilio_key', `S${CUT}K${hex(32)}`),
  whole('service_token', `h${CUT}f_${alnum(34)}`),
  whole('service_token', `shpa${CUT}t_${hex(32)}`),
  whole('service_token', `hv${CUT}s.${alnum(24)}`),
  { type: 'authorization', text: `send Bearer ${alnum(24)} along`, secret: alnum(24) },
  { type: 'authorization', text: 'curl -H Basic dXNlcjpodW50ZXIy', secret: 'dXNlcjpodW50ZXIy' },
  { type: 'secret', text: `Authorization: Token ${alnum(12)}\nAccept: */*`, secret: alnum(12) },
  { type: 'secret', text: 'Cookie: sid=swordfish; theme=dark', secret: 'swordfish' },
  { type: 'secret', text: 'password=swordfish', secret: 'swordfish' },
  { type: 'secret', text: "db_password = 'sword fish'", secret: 'sword fish' },
  { type: 'secret', text: 'DB_PASSWORD=sword,fish&x=1', secret: 'sword,fish' },
  { type: 'secret', text: 'export AWS_SECRET_ACCESS_KEY=swordfish', secret: 'swordfish' },
  { type: 'secret', text: 'mysql --password swordfish -u root', secret: 'swordfish' },
  { type: 'secret', text: '//registry.example.com/:_authToken=swordfish', secret: 'swordfish' },
  { type: 'secret', text: '{"apiKey": "swordfish"}', secret: 'swordfish' },
  { type: 'secret', text: '{"client_secret":"sword\\"fish"}', secret: 'fish' },
  { type: 'secret', text: '{"body":"{\\"token\\": \\"swordfish\\"}"}', secret: 'swordfish' },
  {
    type: 'secret',
    text: '{"b":"{\\"c\\":\\"{\\\\\\"token\\\\\\":\\\\\\"swordfish\\\\\\"}\\"}"}',
    secret: 'swordfish',
  },
  { type: 'secret', text: '{"pin":1,"password":12345678}', secret: '12345678' },
  { type: 'secret', text: '{"password":{"value":"swordfish"}}', secret: 'swordfish' },
  { type: 'secret', text: 'x-api-key: swordfish', secret: 'swordfish' },
  { type: 'secret', text: '{"pass\\u0077ord":"swordfish"}', secret: 'swordfish' },
  { type: 'secret', text: '{"password":"swordfis', secret: 'swordfis' },
  { type: 'secret', text: 'password=[redacted:secret]swordfish', secret: 'swordfish' },
  { type: 'url_credentials', text: 'postgres://app:swordfish@db.example.com/x', secret: 'swordfish' },
  { type: 'url_credentials', text: 'https://user:sword@fish@example.com', secret: 'sword' },
  { type: 'url_secret', text: 'https://x.example.com/b?sv=1&sig=swordfish%3D&se=2', secret: 'swordfish' },
  { type: 'url_secret', text: 'https://x.example.com/b?X-Amz-Signature=swordfish', secret: 'swordfish' },
  { type: 'url_secret', text: 'https://maps.example.com/api?key=swordfish', secret: 'swordfish' },
  { type: 'email', text: 'mail alice.smith+x@mail.example.co.uk today', secret: 'alice.smith' },
  { type: 'email', text: 'to=alice%40example.com', secret: 'alice' },
  { type: 'email', text: '{"to":"alice\\u0040example.com"}', secret: 'alice' },
  { type: 'email', text: 'grüße@bücher.example', secret: 'grüße' },
  { type: 'payment_card', text: 'card 4111 1111 1111 1111 exp', secret: '4111 1111 1111 1111' },
  { type: 'payment_card', text: 'qty 12 4111-1111-1111-1111', secret: '4111-1111-1111-1111' },
  { type: 'payment_card', text: 'amex 378282246310005', secret: '378282246310005' },
  { type: 'payment_card', text: 'mc 5555555555554444.', secret: '5555555555554444' },
  { type: 'iban', text: 'pay DE89370400440532013000 now', secret: '370400440532013000' },
  { type: 'iban', text: 'pay GB82 WEST 1234 5698 7654 32 now', secret: 'WEST 1234 5698' },
  { type: 'us_ssn', text: 'ssn is 219-09-9999.', secret: '219-09-9999' },
];
