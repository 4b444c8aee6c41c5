// The page of who is in photos and before the camera. Photos that are dropped or pasted anywhere go to the first part.

import { takesFiles } from "./drop.js";
import { Photos } from "./recognize_photos.js";
import { RecognizeCamera } from "./recognize_camera.js";
import { tabs } from "./tabs.js";

const photos = new Photos(document.getElementById("photos"));
const camera = new RecognizeCamera(document.getElementById("camera"), photos);
const show = tabs(document.querySelector("[role=tablist]"), (part) => {
  history.replaceState(null, "", `#${part.id}`);
  if (part.id !== "camera") camera.stop("The camera is off.");
});

if (location.hash) show(location.hash.slice(1));
takesFiles(document.body, (files) => {
  show("photos");
  photos.add(files);
});
