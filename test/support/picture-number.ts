/** For pages: a function that reads the number that `writeTimecodedFilm` drew into the picture that a video element shows. */
export const READ_PICTURE_NUMBER = `(video) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 1 });
  const context = canvas.getContext('2d');
  const { videoWidth: width, videoHeight: height } = video;
  if (height > 0) context.drawImage(video, 0, (height * 29) / 32, width, height / 16, 0, 0, 16, 1);
  const { data } = context.getImageData(0, 0, 16, 1);
  return Array.from({ length: 16 }, (_, bit) => (data[bit * 4] > 110 ? 2 ** bit : 0)).reduce((sum, bit) => sum + bit);
}`;
