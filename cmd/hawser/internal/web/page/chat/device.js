// What this device is called in the list of one's sessions: its browser and its system.

// The first that matches counts: most browsers claim to be others, too.
const BROWSERS = [
  [/\bEdg(?:A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/(?:Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS = [
  [/\bAndroid\b/, 'Android'],
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

// deviceName takes a navigator.
export function deviceName({ userAgent, maxTouchPoints = 0 }) {
  const among = (list) => list.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = among(BROWSERS) ?? 'Browser';
  const system = among(SYSTEMS);
  // An iPad says that it is a Mac, but there are no Macs to be touched.
  const shown = system === 'macOS' && maxTouchPoints > 1 ? 'iPad' : system;
  return shown ? `${browser} on ${shown}` : browser;
}
