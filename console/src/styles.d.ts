// Vite takes styles from modules; the compiler knows of them by this.
declare module '*.css';
