/** What a client's app and stream name ask for. */
export interface PublishName {
  /** `app/name`; not validated. */
  readonly broadcast: string;
  readonly key: string | undefined;
}

/**
 * Reads `live` and `NAME?key=SECRET`. Other members of the query are tolerated: OBS appends its own. A key in the app's
 * query counts when the name has none.
 */
export function parsePublishName(app: string, streamName: string): PublishName {
  const [appPath, appQuery] = splitQuery(app);
  const [namePath, nameQuery] = splitQuery(streamName);
  const path = [appPath, namePath].map((part) => part.replace(/^\/+|\/+$/g, '')).join('/');
  return { broadcast: path, key: nameQuery.get('key') ?? appQuery.get('key') ?? undefined };
}

function splitQuery(text: string): [path: string, query: URLSearchParams] {
  const at = text.indexOf('?');
  if (at < 0) return [text, new URLSearchParams()];
  // A second `?` is what a client makes that appends its query to one that is there.
  return [text.slice(0, at), new URLSearchParams(text.slice(at + 1).replaceAll('?', '&'))];
}
