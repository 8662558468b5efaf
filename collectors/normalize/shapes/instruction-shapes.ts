import type { Shape } from './shape.ts';

/** Up to four words between two that matter. */
const FEW = String.raw`(?:[\w'’,-]{1,24}\s{1,4}){0,4}?`;
const READER = String.raw`(?:the\s{1,4})?(?:ai(?:\s{1,4}(?:assistant|agent|model))?|assistant|agent|llm|language model|chatbot|copilot|claude|chatgpt|gpt|gemini)s?`;

const source = (parts: readonly string[]) => new RegExp(parts.join('|'), 'gim');

/**
 * Text in an output or a tool's description that speaks to the model, not to the user: orders to drop its instructions, to
 * hide something, to call a tool, marks of a role, hidden comments. A plain request in somebody's mail is no `instruction`; it
 * is an `imperative`, which is weak evidence by itself.
 */
export const INSTRUCTION_SHAPES: readonly Shape[] = [
  {
    name: 'instruction',
    pattern: source([
      String.raw`\b(?:ignore|disregard|forget|override|bypass)\s{1,4}${FEW}(?:previous|prior|above|earlier|preceding|all|any|your|system|safety|original|these|those|other)\s{1,4}${FEW}(?:instructions?|prompts?|rules?|guidelines?|directions?|constraints?|polic(?:y|ies)|restrictions?|tasks?|commands?)\b`,
      String.raw`\b(?:ignore|disregard|forget)\s{1,4}(?:everything|anything)\s{1,4}(?:above|before|you|the user|that)`,
    ]),
  },
  {
    name: 'instruction',
    pattern: source([
      String.raw`\b(?:do not|don't|don’t|never|must not|without|avoid)\s{1,4}(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|alerting|ask|asking|show|showing|disclose)\s{1,4}${FEW}(?:the\s{1,4})?users?\b`,
      String.raw`\bdo(?:n't|n’t| not)\s{1,4}let\s{1,4}the\s{1,4}user\s{1,4}(?:know|see|notice)`,
      String.raw`\b(?:silently|secretly)\s{1,4}(?:send|call|run|execute|forward|upload|include|add|append|read|invoke)\b`,
      String.raw`\b(?:hide|keep)\s{1,4}(?:this|it)\s{1,4}(?:secret\s{1,4})?from\s{1,4}the\s{1,4}user`,
    ]),
  },
  {
    name: 'instruction',
    pattern: source([
      String.raw`</?(?:system|assistant|important|information|user_instructions?|system_prompt|tool_result|function_results)\s{0,4}>`,
      String.raw`<\|(?:im_start|im_end|system|user|assistant|eot_id|start_header_id|endoftext)\|>`,
      String.raw`\[/?INST\]|<</?SYS>>|^#{2,4}\s{1,4}(?:system|instructions?)\s{0,4}:`,
      String.raw`^\[?system(?: message| override| prompt| notice| instruction)?\]?\s{0,2}:\s{0,4}(?:you|ignore|the assistant|all|new|from now)\b`,
      String.raw`\[(?:system|system message|system override|admin override)\]`,
      String.raw`^(?:human|user):[^\n]{1,400}\n{1,3}(?:assistant|ai):`,
    ]),
  },
  {
    name: 'instruction',
    pattern: source([
      String.raw`\byou\s{1,4}(?:must|should|need to|have to|are required to|are instructed to)\s{1,4}(?:now\s{1,4}|first\s{1,4}|always\s{1,4}|immediately\s{1,4}|also\s{1,4}){0,2}(?:call|invoke|use|run|execute)\s{1,4}${FEW}(?:tool|function|command)\b`,
      String.raw`\bbefore\s{1,4}(?:using|calling|invoking|running|answering|responding|doing)\b[^.\n]{0,96}\b(?:you must|must first|first read|first call|please read|read (?:the )?(?:file|contents))`,
      String.raw`\b(?:must|always)\s{1,4}(?:call|invoke|use)\s{1,4}this\s{1,4}tool\s{1,4}(?:before|first|instead)\b`,
      String.raw`\b(?:call|invoke|execute)\s{1,4}the\s{1,4}[\x60"']?[\w.-]{2,64}[\x60"']?\s{1,4}(?:tool|function)\s{1,4}(?:with|to|now|and)\b`,
    ]),
  },
  {
    name: 'instruction',
    pattern: source([
      String.raw`\b(?:attention|note|notice|message|instructions?|important|dear|hey|hello)\s{0,2}[:,]?\s{1,4}(?:to\s{1,4}|for\s{1,4})?(?:all\s{1,4})?${READER}\b\s{0,2}[:,!.]`,
      String.raw`\bif\s{1,4}you\s{1,4}are\s{1,4}(?:an?\s{1,4})(?:ai|llm|language model|assistant|agent|bot)\b`,
      String.raw`\bas\s{1,4}an\s{1,4}ai(?:\s{1,4}(?:assistant|agent|model))?\s{0,2},?\s{1,4}you\b`,
      String.raw`\byou\s{1,4}are\s{1,4}now\s{1,4}(?:an?|the|in)\s{1,4}${FEW}(?:mode|assistant|agent|ai|admin|dan)\b`,
      String.raw`\b(?:your|here are)\s{1,4}(?:your\s{1,4})?new\s{1,4}(?:instructions?|task|goal|objective|orders?)\b`,
      String.raw`\bimportant\s{1,4}(?:message|instructions?)\s{1,4}from\s{1,4}[^.\n]{1,96}\s{1,4}to\s{1,4}you\b`,
      String.raw`\bnew\s{1,4}(?:system\s{1,4})?instructions?\s{0,2}:`,
    ]),
  },
  {
    name: 'instruction',
    pattern: source([
      String.raw`<!--(?:(?!-->)[\s\S]){0,400}?\b(?:ignore|you must|assistant|ai agent|system prompt|instructions? (?:to|for)|please (?:send|transfer|visit|click|forward|delete|call)|send (?:all|the|an)|do not tell)\b`,
      String.raw`style\s{0,2}=\s{0,2}["'][^"'<>]{0,200}(?:display\s{0,2}:\s{0,2}none|font-size\s{0,2}:\s{0,2}0|visibility\s{0,2}:\s{0,2}hidden|opacity\s{0,2}:\s{0,2}0)[^"'<>]{0,200}["'][^<>]{0,200}>[^<]{0,400}\b(?:ignore|you must|please|send|assistant|instructions?|transfer|forward)\b`,
    ]),
  },
  {
    name: 'imperative',
    pattern: source([
      String.raw`(?:^|[.!?:>*"']\s{0,4}|\band\s{1,4}|\bfirst,?\s{1,4})(?:please|kindly|you need to|you must|make sure (?:to|you)|urgent(?:ly)?:?|immediately|as soon as possible,?)\s{1,4}(?:send|transfer|pay|wire|delete|remove|invite|visit|open|buy|purchase|book|reserve|email|mail|upload|click|post|publish|change|update|reset|grant|share|forward|create|add|download|install|run|execute|call|submit|register|sign|cancel|schedule|move|star|follow|push|merge|disable|enable|reply|message|go to|provide|set)\b`,
    ]),
  },
];
