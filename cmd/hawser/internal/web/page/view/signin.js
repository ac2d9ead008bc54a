// Choosing a name.

import { createGuest } from '../chat/guest.js';
import { roomProblem } from '../chat/names.js';
import { setAttribute, setText } from './dom.js';

const byID = (id) => document.getElementById(id);

// signIn shows the form and returns a promise of { identity, room }. name and room
// are what the fields hold at first, problem why one is here again.
export function signIn({ name, room, problem = '' }) {
  const form = byID('signin-form');
  const fields = { name: byID('name'), room: byID('room') };
  const complain = (field, text) => {
    setText(byID(`${field}-error`), text);
    setAttribute(fields[field], 'aria-invalid', text ? 'true' : null);
  };
  byID('signin').hidden = false;
  fields.name.value = name;
  fields.room.value = room;
  complain('name', problem);
  fields.name.focus();
  fields.name.select();

  return new Promise((resolve) => {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const chosenName = fields.name.value.trim();
      const chosenRoom = fields.room.value.trim().replace(/^#/, '');
      const problems = { name: chosenName ? '' : 'Choose a name.', room: roomProblem(chosenRoom) };
      complain('name', problems.name);
      complain('room', problems.room);
      if (problems.name || problems.room) {
        fields[problems.name ? 'name' : 'room'].focus();
        return;
      }
      byID('enter').disabled = true;
      try {
        const identity = await createGuest(chosenName);
        byID('signin').hidden = true;
        resolve({ identity, room: chosenRoom });
      } catch (error) {
        complain('name', error.message);
        byID('enter').disabled = false;
        fields.name.focus();
      }
    });
  });
}
