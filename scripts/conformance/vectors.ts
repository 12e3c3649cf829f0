/** The content of each file in conformance/vectors, by its name without `.json`. */
export function vectorFiles (): Record<string, object> {
  return {}
}
