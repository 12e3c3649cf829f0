export interface Target { refId: string, expr: string, legendFormat: string }
export interface Panel {
  id: number
  type: 'row' | 'stat' | 'timeseries'
  title: string
  gridPos: { x: number, y: number, w: number, h: number }
  targets?: Target[]
}
export interface Variable { name: string, type: string, definition?: string }
export interface Dashboard {
  title: string
  schemaVersion: number
  templating: { list: Variable[] }
  panels: Panel[]
}

export function dashboard (): Dashboard
