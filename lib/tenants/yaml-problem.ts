import type { YAMLParseError } from 'yaml'

/**
 * What is wrong with a file that cannot be parsed, in words. Its own message is not passed on: some repeat what is in
 * the file, secrets included.
 */
export function yamlProblem ({ code, message }: Pick<YAMLParseError, 'code' | 'message'>): string {
  const standalone = standaloneProblems[code]
  if (standalone !== undefined) return standalone
  const problem = code === 'MISSING_CHAR' ? missing(message) : problems[code]
  return problem === undefined ? `is not valid YAML or JSON (${code})` : `is not valid YAML or JSON: ${problem}`
}

/** The code is one for whatever may be missing; only the message tells what. */
function missing (message: string): string {
  if (/^Missing closing|must end with/.test(message)) return 'a closing bracket, brace or quote is missing'
  if (message.startsWith('Missing ,')) return 'a comma is missing before this'
  if (message.startsWith('Implicit map keys')) return 'a key has no colon after it'
  if (message.startsWith('Missing space after :')) return 'a space is missing after a colon'
  return 'a space or another character is missing'
}

const standaloneProblems: Record<string, string> = {
  DUPLICATE_KEY: 'the key appears twice',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  BAD_INDENT: 'the indentation is wrong, or a bracket is not closed',
  MULTIPLE_DOCS: 'a second document begins; one file is one document',
  NON_STRING_KEY: 'the key is not text; put it in quotes',
}

const reserved = 'text that begins with &, * or ! needs quotes'

const problems: Record<string, string> = {
  ALIAS_PROPS: reserved,
  BAD_ALIAS: reserved,
  BAD_PROP_ORDER: reserved,
  MULTIPLE_ANCHORS: reserved,
  MULTIPLE_TAGS: reserved,
  TAG_RESOLVE_FAILED: reserved,
  BAD_COLLECTION_TYPE: reserved,
  BAD_DIRECTIVE: 'a line that begins with % means something else here',
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an unknown escape; write it twice, or use single quotes',
  BAD_SCALAR_START: 'text that begins with this character needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a key is where a value belongs; check the indentation, and put text with a colon in quotes',
  BLOCK_IN_FLOW: 'a comma is missing before this, or a list or mapping within brackets has none of its own',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters; look for a missing colon or quote',
  MULTILINE_IMPLICIT_KEY: 'a key spans several lines; look for a missing colon, or wrong indentation',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
  UNEXPECTED_TOKEN: 'this cannot be here; look for a comma, quote, bracket or indentation too many or too few',
}
