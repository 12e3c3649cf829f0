export function findPrometheus (
  env?: Record<string, string | undefined>
): { path?: string, promtool?: string, problem?: string }
