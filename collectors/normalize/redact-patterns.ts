/**
 * Secrets that show themselves by their shape. `hints` are substrings without which the pattern cannot match; every
 * pattern starts at a boundary, so that a hostile run of its own characters is scanned once, not once per character.
 */
export interface SecretPattern {
  readonly type: string;
  readonly hints: readonly string[];
  readonly pattern: RegExp;
}

export const SECRET_PATTERNS: readonly SecretPattern[] = [
  {
    type: 'jwt',
    hints: ['eyJ'],
    pattern: /(?<![\w-])eyJ[\w-]{10,}\.[\w-]{4,}(?:\.[\w-]*){1,3}/g,
  },
  {
    type: 'aws_key',
    hints: ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    pattern: /(?<![A-Za-z0-9])A(?:KI|SI|BI|CC)A[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  },
  {
    type: 'gcp_key',
    hints: ['AIza', 'ya29.', 'GOCSPX-'],
    pattern: /(?<![\w-])(?:AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})/g,
  },
  {
    type: 'azure_key',
    hints: ['8Q~', 'AccountKey='],
    pattern: /(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}|(?<=AccountKey=)[A-Za-z0-9+/]{40,}={0,2}/g,
  },
  {
    type: 'github_token',
    hints: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/g,
  },
  {
    type: 'gitlab_token',
    hints: ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'gloas-', 'glcbt-', 'glsoat-'],
    pattern: /(?<![A-Za-z0-9])gl(?:pat|dt|rt|ptt|oas|cbt|soat)-[\w.-]{20,}/g,
  },
  {
    type: 'slack_token',
    hints: ['xox', 'xapp-', 'hooks.slack.com'],
    pattern:
      /(?<![A-Za-z0-9])(?:xox[abeoprs][.-][\w-]{10,}|xapp-[\w-]{10,})|(?<=hooks\.slack\.com\/(?:services|workflows)\/)[\w/]{16,}/g,
  },
  {
    type: 'stripe_key',
    hints: ['k_live_', 'k_test_', 'whsec_'],
    pattern: /(?<![A-Za-z0-9])(?:[prs]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,})/g,
  },
  {
    type: 'anthropic_key',
    hints: ['sk-ant-'],
    pattern: /(?<![A-Za-z0-9])sk-ant-[\w-]{16,}/g,
  },
  {
    type: 'openai_key',
    hints: ['sk-'],
    pattern: /(?<![A-Za-z0-9-])sk-(?:(?:proj|svcacct|admin|or-v1|lf)-[\w-]{16,}|[A-Za-z0-9]{32,})/g,
  },
  { type: 'npm_token', hints: ['npm_'], pattern: /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{30,}/g },
  { type: 'pypi_token', hints: ['pypi-'], pattern: /(?<![A-Za-z0-9])pypi-[\w-]{40,}/g },
  { type: 'sendgrid_key', hints: ['SG.'], pattern: /(?<![\w.-])SG\.[\w-]{16,}\.[\w-]{16,}/g },
  { type: 'twilio_key', hints: ['SK'], pattern: /(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])/g },
  {
    type: 'service_token',
    hints: ['hf_', 'dop_v1_', 'shpat_', 'hvs.', 'dapi', 'AGE-SECRET-KEY-'],
    pattern:
      /(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{30,}|dop_v1_[0-9a-f]{40,}|shpat_[0-9a-f]{32,}|hvs\.[\w-]{20,}|dapi[0-9a-f]{32}|AGE-SECRET-KEY-1[A-Z0-9]{50,})/g,
  },
];

/** Anything that may be a secret or personal data by its shape: text it does not match needs no closer look. */
export const SHAPE_HINT =
  /[@]|%40|-----B|eyJ|A[KSB]IA|ACCA|AIza|ya29\.|GOCSPX-|8Q~|AccountKey=|gh[pousr]_|github_pat_|gl[a-z]{2,4}-|xox|xapp-|hooks\.slack|k_live_|k_test_|whsec_|sk-|npm_|pypi-|SG\.|SK[0-9a-f]{8}|hf_|dop_v1_|shpat_|hvs\.|dapi|AGE-SECRET|[Bb](?:earer|EARER|asic|ASIC) |[?&;](?:sig|auth|key|x-|X-)|\d{3}-\d{2}-\d{4}|\d(?:[ -]?\d){11}|[A-Z]{2}\d{2}[ A-Z0-9]/;
